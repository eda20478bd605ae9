import { FoldmarkError } from "@foldmark/protocol";

/** How long a provider may take, in milliseconds. */
export type Deadlines = {
  /** From the request to the headers, which say that the voucher is accepted. */
  headersMs: number;
  /** From the headers to the first token (or the answer of a simulation), waiting in the queue and prefill included. */
  firstTokenMs: number;
  /** Between two events. */
  betweenTokensMs: number;
  /** The least pace of a whole answer; without it one token before each deadline would do. */
  minTokensPerSecond: number;
  /** For the small questions: cut, stored answer. */
  questionMs: number;
};

export const DEFAULT_DEADLINES: Deadlines = {
  headersMs: 10_000,
  firstTokenMs: 60_000,
  betweenTokensMs: 15_000,
  minTokensPerSecond: 1,
  questionMs: 30_000,
};

/**
 * Milliseconds that the next event may take. What has been waited so far counts, not what has passed: a caller that reads
 * slowly is not the provider's fault.
 */
export function allowedMs(deadlines: Deadlines, { waitedMs, tokens }: { waitedMs: number; tokens: number }): number {
  if (tokens === 0) return deadlines.firstTokenMs - waitedMs;
  const pace = deadlines.firstTokenMs + ((tokens + 1) * 1000) / deadlines.minTokensPerSecond;
  return Math.min(deadlines.betweenTokensMs, pace - waitedMs);
}

/**
 * Waits for a promise, but not longer than until `deadline` and not after the signal.
 * @throws `provider.stalled` at the deadline, `request.cancelled` when the signal aborts
 */
export async function before<Value>(
  promise: Promise<Value>,
  { deadline, now, signal }: { deadline: number; now: () => number; signal?: AbortSignal | undefined },
): Promise<Value> {
  const { promise: interrupted, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new FoldmarkError("provider.stalled", "The provider missed its deadline.")),
    Math.max(0, deadline - now()),
  );
  const cancel = () => reject(new FoldmarkError("request.cancelled", "The caller has gone."));
  if (signal?.aborted) cancel();
  signal?.addEventListener("abort", cancel, { once: true });
  try {
    return await Promise.race([promise, interrupted]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", cancel);
    // the loser of the race may still fail; nobody is listening any more
    promise.catch(() => {});
  }
}
