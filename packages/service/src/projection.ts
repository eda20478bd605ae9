import type { Hex } from "viem";
import type { MarketEvent } from "./marketEvents.ts";

export type BlockRef = { number: bigint; hash: Hex; timestamp: bigint };

/** State that is computed from the chain's events, one block at a time, and can go back. */
export type Projection = {
  /** Applies all events of one block in one transaction; called for blocks without events too, from the reorg window on. */
  apply(block: BlockRef, events: readonly MarketEvent[]): Promise<void>;
  /** Forgets everything after block `to`. */
  rollback(to: bigint): Promise<void>;
};
