import { FoldmarkError, type Prices } from "@foldmark/protocol";
import type { Address } from "viem";
import { type CutResult, cutAnswer, storedAnswer } from "../providers/providerClient.ts";
import { type Accepted, accept, claimOfChat } from "./acceptance.ts";
import { type ChatJob, evidenceOfChat, maximumOfChat } from "./chatJob.ts";
import type { ServingDeps } from "./dependencies.ts";
import { type Bought, buyAnswer } from "./purchase.ts";

/** One provider's answer to a chat, as far as it has come. */
export type ChatAttempt = {
  provider: Address;
  /** Hint tokens that are the provider's own too. */
  agreed: number;
  /** Answer tokens that the provider has given, those of the hint it agreed with included. */
  received: number[];
  bought: Bought;
};

/** Buys a chat answer; with a hint, waits for what the provider says of it. @throws what `skipReasonOf` knows */
export async function beginChat(
  job: ChatJob,
  { provider, prices, hint }: { provider: Address; prices: Prices; hint: readonly number[] },
  deps: ServingDeps,
): Promise<ChatAttempt> {
  const bought = await buyAnswer(
    {
      provider,
      asset: job.model.asset,
      request: job.request,
      prices,
      maximum: maximumOfChat(job, prices),
      limit: job.limit,
      hint,
      evidence: evidenceOfChat(job, prices),
    },
    deps,
  );
  const attempt: ChatAttempt = { provider, agreed: 0, received: [], bought };
  if (hint.length === 0) return attempt;
  const event = await lostIfThrown(attempt, () => bought.next({ tokens: 0 }));
  if (event?.type !== "hint" || event.agreed > hint.length) {
    bought.abandon([]);
    throw event?.type === "error" ? failedBy(event.code) : malformed("did not say what it makes of the hint");
  }
  attempt.agreed = event.agreed;
  attempt.received.push(...hint.slice(0, event.agreed));
  return attempt;
}

export type ChatStep =
  | { type: "tokens"; tokens: number[] }
  | { type: "accepted"; accepted: Accepted; tokens: number[] };

/**
 * The provider's next tokens, or its Answer, checked and booked. Tokens behind the answer's end, outside of the
 * vocabulary, or beyond the limit are garbage.
 * @throws what `skipReasonOf` knows, and `request.cancelled`
 */
export async function nextOfChat(
  job: ChatJob,
  attempt: ChatAttempt,
  deps: ServingDeps,
  signal?: AbortSignal,
): Promise<ChatStep> {
  const { bought, received } = attempt;
  const event = await lostIfThrown(attempt, () =>
    bought.next({ tokens: received.length - attempt.agreed, ...(signal && { signal }) }),
  );
  if (event?.type === "tokens") {
    for (const token of event.tokens) {
      const isOver = received.length >= job.limit || job.model.stopIds.has(received.at(-1) ?? -1);
      if (isOver || token >= job.model.vocabulary) {
        bought.abandon(received);
        throw malformed(isOver ? "goes on behind the end of its answer" : `gave token ${token}, which does not exist`);
      }
      received.push(token);
    }
    return event;
  }
  if (event?.type === "payment") {
    const { payment, prices } = bought;
    const claim = await lostIfThrown(attempt, async () =>
      claimOfChat(job, { payment, prices, event: event.payment, received }),
    );
    const accepted = await accept(claim, deps);
    return { type: "accepted", accepted, tokens: claim.tokens };
  }
  bought.abandon(received);
  if (event?.type === "error") throw failedBy(event.code);
  if (event?.type === "hint") throw malformed("answered to a hint out of turn");
  throw new FoldmarkError("provider.unreachable", "The provider ended its stream without an answer.");
}

/**
 * Ends the answer at `tokens` and takes what the provider signs for it: the cut answer, or a whole one that it had signed
 * already. Undefined when nothing was signed (0 tokens).
 * @throws what `skipReasonOf` knows
 */
export async function cutChat(
  job: ChatJob,
  attempt: ChatAttempt,
  tokens: number,
  deps: ServingDeps,
): Promise<{ accepted: Accepted; tokens: number[] } | undefined> {
  const { bought, received } = attempt;
  const { payment, prices } = bought;
  const { result, at } = await lostIfThrown(attempt, () => cutOrStored(attempt, tokens, deps));
  if (result.status === "none") {
    bought.hangUp();
    await deps.payer.close(payment);
    return undefined;
  }
  const event = result.payment;
  // a whole answer that was signed before the cut arrived: its last tokens are still on their way
  while (received.length < event.preimage.T - job.prompt.length) {
    const late = await lostIfThrown(attempt, () => bought.next({ tokens: Math.max(1, received.length) }));
    if (late?.type !== "tokens") break;
    received.push(...late.tokens.slice(0, job.limit - received.length));
  }
  bought.hangUp();
  const claim = claimOfChat(job, { payment, prices, event, received, cutAt: at });
  return { accepted: await accept(claim, deps), tokens: claim.tokens };
}

/** What came of a cut, and where it was made in the end. */
type CutAt = { result: CutResult; at: number };

/** A cut whose reply was lost is asked for again: what was signed is stored. A token that is on its way cannot be cut off. */
async function cutOrStored({ bought }: ChatAttempt, tokens: number, deps: ServingDeps): Promise<CutAt> {
  const { connection, payment } = bought;
  try {
    return { result: await cutAnswer(connection, { payment, tokens }, deps), at: tokens };
  } catch (error) {
    if (!(error instanceof FoldmarkError)) throw error;
    if (tokens === 0 && error.details.refused === "cut.out_of_range")
      return { result: await cutAnswer(connection, { payment, tokens: 1 }, deps), at: 1 };
    if (error.code !== "provider.unreachable") throw error;
    const stored = await storedAnswer(connection, { payment }, deps);
    if (stored.status === "none") return { result: stored, at: tokens };
    if (stored.status !== "done") throw error;
    const { status: _, ...event } = stored;
    return { result: { status: "signed", payment: event }, at: tokens };
  }
}

async function lostIfThrown<Value>(attempt: ChatAttempt, work: () => Promise<Value>): Promise<Value> {
  try {
    return await work();
  } catch (error) {
    const { bought, received } = attempt;
    // the caller's going is not the provider's end: its answer is cut, not abandoned
    if (!(error instanceof FoldmarkError && error.code === "request.cancelled")) bought.abandon(received);
    throw error;
  }
}

function failedBy(code: string): FoldmarkError {
  return new FoldmarkError("provider.answer_refused", `The provider failed: ${code}.`, { details: { refused: code } });
}

const malformed = (what: string) => new FoldmarkError("provider.malformed", `The provider ${what}.`);
