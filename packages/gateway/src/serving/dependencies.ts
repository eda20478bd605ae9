import type { Payment } from "@foldmark/protocol";
import type { Logger } from "pino";
import type { Market } from "../market/market.ts";
import type { Payer } from "../payments/payer.ts";
import type { Connections } from "../providers/connections.ts";
import type { Deadlines } from "../providers/deadline.ts";
import type { Health } from "../providers/health.ts";
import type { Sealing } from "../store/sealing.ts";
import type { Tally } from "./tally.ts";

/** What answering a request needs besides the request. */
export type ServingDeps = {
  market: Market;
  payer: Payer;
  connections: Connections;
  health: Health;
  sealing: Sealing;
  deadlines: Deadlines;
  tally: Tally;
  log: Logger;
  now: () => number;
  /** Runs work that the caller does not wait for; a graceful stop waits for it. */
  inBackground: (work: () => Promise<unknown>) => void;
  /** Asks a provider, later and as often as it takes, how a voucher ended that was sent without a known end. */
  settleLater: (payment: Payment, of: { evidence: Uint8Array; known: KnownAnswer }) => void;
};

/** What is known of an answer whose provider was lost: enough to check what it may have signed. */
export type KnownAnswer = { tokens: readonly number[] };
