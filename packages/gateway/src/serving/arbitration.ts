import { FoldmarkError } from "@foldmark/protocol";
import type { Address } from "viem";
import { beginChat, type ChatAttempt, cutChat, nextOfChat } from "./chatAttempt.ts";
import type { ChatJob } from "./chatJob.ts";
import type { ServingDeps } from "./dependencies.ts";
import type { Route } from "./route.ts";

/** Who gave the shown tokens in front of `upTo` (and behind those of the author before it). */
export type Author = { provider: Address; upTo: number };

export type Dispute = {
  /** The tokens that the caller has seen. */
  shown: readonly number[];
  authors: readonly Author[];
  /** The provider that agrees with `second.agreed` of them. */
  second: ChatAttempt;
  route: Route;
};

/**
 * Finds out who was wrong, after the caller has been told that its answer is disputed. The second provider is cut where
 * the two part, at one token at least, and paid; a third one is given the same tokens: whom it contradicts is marked.
 * All of it at the gateway's cost.
 */
export async function arbitrate(
  job: ChatJob,
  { shown, authors, second, route }: Dispute,
  deps: ServingDeps,
): Promise<void> {
  const position = second.agreed;
  const author = authors.find(({ upTo }) => upTo > position)?.provider;
  await payFor(job, second, deps);
  for (const { provider, prices } of route.order) {
    if (provider === second.provider || provider === author || deps.health.skipReason(provider)) continue;
    try {
      const third = await beginChat(job, { provider, prices, hint: shown }, deps);
      await payFor(job, third, deps);
      const wrong = third.agreed > position ? second.provider : third.agreed === position ? author : provider;
      if (!wrong) return;
      deps.health.marked(wrong);
      deps.tally.add({ name: "failure", label: wrong });
      deps.log.warn({ provider: wrong, position, by: provider }, "provider marked by a third one");
      return;
    } catch (error) {
      if (!(error instanceof FoldmarkError)) throw error;
      deps.log.info({ provider, err: error }, "arbiter failed");
    }
  }
  deps.log.warn({ second: second.provider, author, position }, "disputed answer without a third provider");
}

/** Takes as little of an answer as can be signed. */
async function payFor(job: ChatJob, attempt: ChatAttempt, deps: ServingDeps): Promise<void> {
  try {
    while (attempt.received.length === 0) {
      const step = await nextOfChat(job, attempt, deps);
      if (step.type === "accepted") return;
    }
    await cutChat(job, attempt, Math.max(attempt.agreed, 1), deps);
  } catch (error) {
    attempt.bought.abandon(attempt.received);
    if (!(error instanceof FoldmarkError)) throw error;
    deps.log.info({ provider: attempt.provider, err: error }, "disputed answer was not signed");
  }
}
