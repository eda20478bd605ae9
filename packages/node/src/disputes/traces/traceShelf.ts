import type { Hex } from "viem";
import type { DisputedJob, DisputeTrace, OpenTrace } from "./disputeTrace.ts";

/** Traces that are kept at a time: each has a thread and the weights of its model in memory. */
const KEPT = 2;

/** Traces by the answer that they are of, built when they are needed and closed when others are. */
export class TraceShelf {
  readonly #openTrace: OpenTrace;
  readonly #traces = new Map<Hex, { trace: Promise<DisputeTrace>; abort: AbortController }>();

  constructor(openTrace: OpenTrace) {
    this.#openTrace = openTrace;
  }

  /** The trace of an answer, from the shelf or built now. @throws `engine.failed` */
  take(answerDigest: Hex, job: DisputedJob): Promise<DisputeTrace> {
    const known = this.#traces.get(answerDigest) ?? this.#open(answerDigest, job);
    this.#traces.delete(answerDigest);
    this.#traces.set(answerDigest, known); // the last one is the one that was used last
    for (const oldest of this.#traces.keys()) {
      if (this.#traces.size <= KEPT) break;
      void this.drop(oldest);
    }
    return known.trace;
  }

  /** The trace of an answer where it is on the shelf: nothing is built for it, and no other is closed. */
  peek(answerDigest: Hex): Promise<DisputeTrace> | undefined {
    return this.#traces.get(answerDigest)?.trace;
  }

  #open(answerDigest: Hex, job: DisputedJob) {
    const abort = new AbortController();
    const trace = this.#openTrace(job, { signal: abort.signal });
    const opened = { trace, abort };
    trace.catch(() => {
      if (this.#traces.get(answerDigest) === opened) this.#traces.delete(answerDigest);
    });
    return opened;
  }

  /** Closes a trace; one that is being built is given up. */
  async drop(answerDigest: Hex): Promise<void> {
    const known = this.#traces.get(answerDigest);
    this.#traces.delete(answerDigest);
    known?.abort.abort();
    await known?.trace.then(
      (built) => built.close(),
      () => undefined, // one that could not be built has nothing to close
    );
  }

  async close(): Promise<void> {
    await Promise.all([...this.#traces.keys()].map((answerDigest) => this.drop(answerDigest)));
  }
}
