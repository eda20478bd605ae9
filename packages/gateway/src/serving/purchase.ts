import { setTimeout as pause } from "node:timers/promises";
import { type AssetId, type BaseUnits, FoldmarkError, type Payment, type Prices } from "@foldmark/protocol";
import type { Address } from "viem";
import type { AnswerEvent } from "../providers/answerEvents.ts";
import type { Connection } from "../providers/connections.ts";
import { allowedMs, before } from "../providers/deadline.ts";
import { type Asked, askProvider } from "../providers/providerClient.ts";
import { refusalCode } from "../providers/refusalCode.ts";
import type { ServingDeps } from "./dependencies.ts";
import { type Evidence, sealEvidence } from "./evidence.ts";

/** One answer of one provider, as it is bought. */
export type Order = {
  provider: Address;
  asset: AssetId;
  request: Uint8Array[];
  prices: Prices;
  maximum: BaseUnits;
  /** Answer tokens, or bytes of claimed tensors, at most: what bounds the stream. */
  limit: number;
  hint: readonly number[];
  evidence: Evidence;
};

/** An answer that a provider has begun: its voucher is accepted and the channel is free for the next one. */
export type Bought = {
  provider: Address;
  connection: Connection;
  payment: Payment;
  prices: Prices;
  /** The next event, before the deadline that follows from `tokens`. Undefined when the stream has ended. @throws `provider.*`, `request.cancelled` */
  next(of: { tokens: number; signal?: AbortSignal }): Promise<AnswerEvent | undefined>;
  /** Leaves the answer; what was signed for it, for the tokens that came, is settled later. */
  abandon(tokens: readonly number[]): void;
  /** Closes the connection after the Answer has come another way. */
  hangUp(): void;
};

type Accepting = Extract<Asked, { status: "accepted" }>;

/** For how long a stream may stay open behind its last event. */
const ENDING_MS = 1_000;

/** Lets a stream end after its last event, so that its connection is used again; one that goes on is closed. */
function leaveToEnd({ events, hangUp }: Accepting): void {
  const timer = setTimeout(hangUp, ENDING_MS);
  const end = () => {
    clearTimeout(timer);
    hangUp();
  };
  events.next().then(end, end);
}

/** For how long a provider may not have seen our deposit yet, and how often it is asked again. */
const DEPOSIT_SEEN_MS = 30_000;
const DEPOSIT_PAUSE_MS = 500;

/**
 * Signs a voucher, sends the request, and waits until it is accepted. A voucher that is stale to the provider is signed
 * once more above what it knows, if it can show our own signature.
 * @throws what `skipReasonOf` knows
 */
export async function buyAnswer(order: Order, deps: ServingDeps): Promise<Bought> {
  const endpoint = deps.market.endpointOf(order.provider);
  if (endpoint === undefined)
    throw new FoldmarkError("provider.endpoint_refused", "The provider has no endpoint on the chain.");
  // a name server may take its time, too
  const connection = await before(deps.connections.open(endpoint), {
    deadline: deps.now() + deps.deadlines.headersMs,
    now: deps.now,
  });
  for (let isSecond = false; ; isSecond = true) {
    const bought = await tryOnce(order, connection, deps, { mayAdopt: !isSecond });
    if (bought) return bought;
  }
}

/** Undefined: the channel's state was taken up, and another voucher may be accepted. */
async function tryOnce(
  order: Order,
  connection: Connection,
  deps: ServingDeps,
  { mayAdopt }: { mayAdopt: boolean },
): Promise<Bought | undefined> {
  const { provider: payee, asset, request, prices, maximum, limit, hint } = order;
  const { payer } = deps;
  const evidence = sealEvidence(order.evidence, deps.sealing);
  const {
    payment,
    depositedAt = Number.NEGATIVE_INFINITY,
    release,
  } = await payer.sign({ payee, asset, maximum, evidence, waitMs: deps.deadlines.headersMs });
  try {
    const body = { model: asset, request, prices, ...(hint.length > 0 && { hint: [...hint] }) };
    for (;;) {
      const asked = await askProvider(connection, { request: body, payment, limit }, deps);
      if (asked.status === "accepted") return bought({ order, connection, payment, evidence, asked }, deps);
      const code = refusalCode(asked.refusal.error.code);
      // a deposit of a moment ago: the provider's view of the chain is a few blocks behind ours
      if (code === "channel.exhausted" && deps.now() - depositedAt < DEPOSIT_SEEN_MS) {
        await pause(DEPOSIT_PAUSE_MS);
        continue;
      }
      release();
      await payer.close(payment);
      const { channel } = asked.refusal;
      if ((code === "voucher.stale" || code === "voucher.too_low") && channel && mayAdopt)
        if (await payer.adopt(payment, channel)) return undefined;
      throw new FoldmarkError("provider.answer_refused", `The provider refused: ${code}.`, {
        details: { status: asked.httpStatus, refused: code },
      });
    }
  } catch (error) {
    release();
    await afterLostRequest(error, { payment, evidence }, deps);
    throw error;
  } finally {
    release();
  }
}

/** Nothing is known of a request whose connection broke, unless it never left. */
async function afterLostRequest(
  error: unknown,
  { payment, evidence }: { payment: Payment; evidence: Uint8Array },
  { payer, settleLater }: ServingDeps,
): Promise<void> {
  if (!(error instanceof FoldmarkError) || error.code === "provider.answer_refused") return;
  if (error.code === "provider.unreachable" && error.details.isSent === false) await payer.close(payment);
  else settleLater(payment, { evidence, known: { tokens: [] } });
}

function bought(
  of: { order: Order; connection: Connection; payment: Payment; evidence: Uint8Array; asked: Accepting },
  { deadlines, now, settleLater }: ServingDeps,
): Bought {
  const { order, connection, payment, evidence, asked } = of;
  let waitedMs = 0;
  /** An event that was waited for and had not come when the wait ended: the next wait is for the same one. */
  let pending: Promise<IteratorResult<AnswerEvent>> | undefined;
  return {
    provider: order.provider,
    connection,
    payment,
    prices: order.prices,
    async next({ tokens, signal }) {
      const from = now();
      const deadline = from + Math.max(0, allowedMs(deadlines, { waitedMs, tokens }));
      try {
        pending ??= asked.events.next();
        const { value, done } = await before(pending, { deadline, now, signal });
        pending = undefined;
        if (done) return undefined;
        if (value.type === "payment" || value.type === "error") leaveToEnd(asked);
        return value;
      } catch (error) {
        if (error instanceof FoldmarkError) throw error;
        throw new FoldmarkError("provider.unreachable", "The connection to the provider broke.", { cause: error });
      } finally {
        waitedMs += now() - from;
      }
    },
    abandon(tokens) {
      asked.hangUp();
      settleLater(payment, { evidence, known: { tokens: [...tokens] } });
    },
    hangUp: asked.hangUp,
  };
}
