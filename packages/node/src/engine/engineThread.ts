import { Worker } from "node:worker_threads";
import { KERNEL_FAMILIES, type KernelFamily } from "@foldmark/machine";
import { FoldmarkError } from "@foldmark/protocol";
import type { Logger } from "@foldmark/service";
import type { Completion, EngineListener, EngineRun } from "./answerEngine.ts";
import { Cancellations } from "./cancellations.ts";
import type { FromWorker, ToWorker, WorkerStart } from "./messages.ts";

type ThreadStart = Omit<WorkerStart, "cancelled" | "without">;

/** What is computed, with what its request says of a chat. */
export type Order = Omit<Extract<ToWorker, { type: "run" }>, "type" | "id">;

type Pending = {
  listener: EngineListener;
  resolve(completion: Completion): void;
  reject(error: unknown): void;
  /** Where the answer is to end, as soon as that is decided. */
  finish: { length?: number } | undefined;
};

/** Deaths in a row without one answer in between after which nothing more is tried for a while. */
const RESTART_DELAYS_MS = [0, 500, 2_000, 10_000];

/**
 * A thread that computes. When it dies, what ran in it fails with `engine.failed` and another thread is started.
 */
export class EngineThread {
  readonly #start: Omit<WorkerStart, "without">;
  /** Kernels that this machine was seen to compute wrongly. */
  readonly #without = new Set<KernelFamily>();
  readonly #cancelled = new Cancellations();
  readonly #log: Logger;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  #ready: Promise<Worker>;
  #nextId = 1;
  #deaths = 0;
  #isClosed = false;

  private constructor(start: ThreadStart, log: Logger) {
    this.#log = log;
    this.#start = { ...start, cancelled: this.#cancelled.shared };
    this.#ready = this.#spawn();
  }

  /** Loads all packages. @throws what the thread throws while it loads */
  static async open(start: ThreadStart, { log }: { log: Logger }): Promise<EngineThread> {
    const thread = new EngineThread(start, log);
    const first = thread.#ready;
    thread.#isClosed = true; // what cannot be loaded once cannot be loaded again
    await first;
    thread.#isClosed = false;
    return thread;
  }

  run(order: Order, listener: EngineListener): EngineRun {
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<Completion>();
    const pending: Pending = { listener, resolve, reject, finish: undefined };
    this.#pending.set(id, pending);
    this.#post(id, { type: "run", id, ...order });
    return {
      result: promise,
      cut: (tokens) => this.#finish(id, { length: tokens }),
      abort: () => {
        const worker = this.#worker;
        this.#cancelled.add(id);
        this.#settle(id)?.reject(new FoldmarkError("request.cancelled", "The request was cancelled."));
        worker?.postMessage({ type: "abort", id } satisfies ToWorker);
      },
    };
  }

  /** Ends the thread as a crash would. */
  kill(): void {
    void this.#worker?.terminate();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#worker?.terminate();
    this.#failAll("The engine was closed.");
  }

  /** The first decision where an answer ends stands: a cut, or its own end. */
  #finish(id: number, finish: { length?: number }): void {
    const pending = this.#pending.get(id);
    if (!pending || pending.finish) return;
    pending.finish = finish;
    this.#post(id, { type: "finish", id, ...finish });
  }

  /** Tells the thread as soon as it is there, in the order of the calls; not for a run that has ended by then. */
  #post(id: number, message: ToWorker): void {
    this.#ready.then(
      (worker) => this.#pending.has(id) && worker.postMessage(message),
      (error) => this.#settle(id)?.reject(error),
    );
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }

  #receive(message: FromWorker): void {
    if (message.type === "ready") return;
    const { id } = message;
    const listener = this.#pending.get(id)?.listener;
    switch (message.type) {
      case "hint":
        listener?.hint(message.agreed);
        return;
      case "tokens":
        listener?.tokens(message.tokens);
        return;
      case "generated":
        this.#finish(id, {});
        return;
      case "completed":
        this.#deaths = 0;
        this.#settle(id)?.resolve({ T: message.T, request: message.request, claimed: message.claimed });
        return;
      case "failed":
        this.#log.error({ reason: message.code, why: message.message }, "the engine could not complete an answer");
        this.#settle(id)?.reject(message.code === "machine.out_of_memory" ? outOfMemory() : engineFailed(message.code));
    }
  }

  #spawn(): Promise<Worker> {
    const workerData: WorkerStart = { ...this.#start, without: [...this.#without] };
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { workerData });
    this.#worker = worker;
    const { promise, resolve, reject } = Promise.withResolvers<Worker>();
    let cause: unknown;
    worker.on("message", (message: FromWorker) => {
      if (message.type === "ready") resolve(worker);
      else this.#receive(message);
    });
    worker.once("error", (error) => {
      cause = error;
    });
    worker.once("exit", () => {
      reject(cause ?? engineFailed("exit"));
      if (!this.#isClosed) this.#restart(cause);
    });
    promise.catch(() => undefined); // whoever waits for it sees it
    return promise;
  }

  #restart(cause: unknown): void {
    const family = wrongKernel(cause);
    if (family !== undefined) this.#without.add(family);
    this.#failAll("The engine stopped while it worked on this.");
    const delayMs = RESTART_DELAYS_MS[Math.min(this.#deaths++, RESTART_DELAYS_MS.length - 1)];
    this.#log.error(
      { err: cause, deaths: this.#deaths, delayMs, without: [...this.#without] },
      "the engine's thread died and is started again",
    );
    const { promise, resolve } = Promise.withResolvers<void>();
    setTimeout(resolve, delayMs).unref();
    this.#ready = promise.then(() => this.#spawn());
    this.#ready.catch(() => undefined);
  }

  #failAll(message: string): void {
    for (const id of [...this.#pending.keys()])
      this.#settle(id)?.reject(
        new FoldmarkError("engine.failed", message, { hint: "Nothing was charged. Ask again." }),
      );
  }
}

/** The kernels that an engine found wrong, if that is why its thread ended. */
function wrongKernel(cause: unknown): KernelFamily | undefined {
  if (!(cause instanceof Error && "code" in cause && "details" in cause)) return undefined;
  if (cause.code !== "machine.kernel_mismatch") return undefined;
  const { family } = cause.details as { family?: unknown };
  return KERNEL_FAMILIES.find((known) => known === family);
}

const outOfMemory = () =>
  new FoldmarkError("engine.out_of_memory", "The engine has no memory for an answer of this length.", {
    hint: "Nothing was charged. Ask for fewer tokens, or ask another provider.",
  });

const engineFailed = (reason: string) =>
  new FoldmarkError("engine.failed", "The engine could not complete this answer.", {
    details: { reason },
    hint: "Nothing was charged. Ask again, or ask another provider.",
  });
