import { Worker } from "node:worker_threads";
import type { ElementAt, Refutation } from "@foldmark/machine";
import { FoldmarkError } from "@foldmark/protocol";
import type { DisputedJob, DisputeTrace } from "./disputeTrace.ts";
import type { FromTrace, ToTrace, TraceQuestion } from "./traceMessages.ts";

type Built = { T: number; root: Uint8Array; firstFalse: ElementAt | undefined; seconds: number };
type Waiting = { resolve(value: unknown): void; reject(error: unknown): void };

/** A trace in a thread of its own, and how long it took to build. */
export type ThreadTrace = DisputeTrace & { readonly seconds: number };

/**
 * Builds the trace of a disputed answer in a thread of its own, which lives until it is closed.
 * @throws `engine.failed` where the thread ends, and what opening the package throws
 */
export async function openThreadTrace(
  job: DisputedJob,
  { signal }: { signal?: AbortSignal } = {},
): Promise<ThreadTrace> {
  const worker = new Worker(new URL("./traceThread.ts", import.meta.url), { workerData: job });
  signal?.addEventListener("abort", () => void worker.terminate());
  const waiting = new Map<number, Waiting>();
  const { promise: built, resolve, reject } = Promise.withResolvers<Built>();
  let nextId = 1;
  let cause: unknown;
  let ended: FoldmarkError | undefined;
  worker.on("message", (message: FromTrace) => {
    if (message.type === "built") resolve(message);
    else if (message.type === "answer") take(message.id)?.resolve(message.value);
    else if (message.id === undefined) reject(failure(message));
    else take(message.id)?.reject(failure(message));
  });
  worker.once("error", (error) => {
    cause = error;
  });
  worker.once("exit", () => {
    ended = failure({ code: "engine.failed", message: "its thread ended" }, cause);
    reject(ended);
    for (const id of [...waiting.keys()]) take(id)?.reject(ended);
    waiting.clear();
  });

  function take(id: number): Waiting | undefined {
    const found = waiting.get(id);
    waiting.delete(id);
    return found;
  }
  async function ask(question: TraceQuestion): Promise<unknown> {
    if (ended) throw ended;
    const id = nextId++;
    const { promise, ...settle } = Promise.withResolvers<unknown>();
    waiting.set(id, settle);
    worker.postMessage({ id, question } satisfies ToTrace);
    return promise;
  }

  try {
    const { T, root, firstFalse, seconds } = await built;
    return {
      ...{ T, root, firstFalse, seconds },
      nodes: async (under, depth) => (await ask({ kind: "nodes", under, depth })) as Uint8Array[],
      leaf: async (of, index) => (await ask({ kind: "leaf", of, index })) as Uint8Array,
      refutation: async (known) => (await ask({ kind: "refutation", known })) as Refutation,
      close: async () => void (await worker.terminate()),
    };
  } catch (error) {
    await worker.terminate();
    throw error;
  }
}

function failure({ code, message }: { code: string; message: string }, cause?: unknown): FoldmarkError {
  return new FoldmarkError("engine.failed", `The trace could not be computed: ${message}.`, {
    details: { reason: code },
    ...(cause === undefined ? {} : { cause }),
  });
}
