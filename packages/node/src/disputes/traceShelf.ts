import type { Hex } from "viem";
import type { DisputedJob, DisputeTrace, OpenTrace } from "./disputeTrace.ts";

/** Traces that are kept at a time: each has a thread and the weights of its model in memory. */
const KEPT = 2;

/** Traces by the answer that they are of, built when they are needed and closed when others are. */
export class TraceShelf {
  readonly #openTrace: OpenTrace;
  readonly #traces = new Map<Hex, Promise<DisputeTrace>>();

  constructor(openTrace: OpenTrace) {
    this.#openTrace = openTrace;
  }

  /** The trace of an answer, from the shelf or built now. @throws `engine.failed` */
  take(answerDigest: Hex, job: DisputedJob): Promise<DisputeTrace> {
    const known = this.#traces.get(answerDigest);
    this.#traces.delete(answerDigest);
    const trace = known ?? this.#openTrace(job);
    this.#traces.set(answerDigest, trace); // the last one is the one that was used last
    trace.catch(() => this.#traces.delete(answerDigest));
    for (const oldest of this.#traces.keys()) {
      if (this.#traces.size <= KEPT) break;
      void this.drop(oldest);
    }
    return trace;
  }

  /** A trace that is on the shelf already. */
  peek(answerDigest: Hex): Promise<DisputeTrace> | undefined {
    return this.#traces.get(answerDigest);
  }

  async drop(answerDigest: Hex): Promise<void> {
    const trace = this.#traces.get(answerDigest);
    this.#traces.delete(answerDigest);
    await trace?.then(
      (built) => built.close(),
      () => undefined, // one that could not be built has nothing to close
    );
  }

  async close(): Promise<void> {
    await Promise.all([...this.#traces.keys()].map((answerDigest) => this.drop(answerDigest)));
  }
}
