import { Worker } from "node:worker_threads";
import { FoldmarkError } from "@foldmark/protocol";
import type { Logger } from "@foldmark/service";
import type { AnswerEngine, Completion, EngineJob, EngineListener, EngineRun } from "./answerEngine.ts";
import type { FromWorker, ToWorker, WorkerStart } from "./messages.ts";
import type { OpenedModel } from "./openModel.ts";

export type WorkerEngineOptions = { models: readonly OpenedModel[]; backend?: WorkerStart["backend"] };

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
 * An engine in a thread of its own. When the thread dies, what ran in it fails with `engine.failed` and another thread is
 * started.
 */
export class WorkerEngine implements AnswerEngine {
  readonly models: readonly OpenedModel[];
  readonly #start: WorkerStart;
  readonly #log: Logger;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  #ready: Promise<Worker>;
  #nextId = 1;
  #deaths = 0;
  #isClosed = false;

  private constructor({ models, backend = "wasm" }: WorkerEngineOptions, log: Logger) {
    this.models = models;
    this.#log = log;
    this.#start = { packages: models.map(({ asset, folder }) => ({ asset, folder })), backend };
    this.#ready = this.#spawn();
  }

  /** Loads all models. @throws what the thread throws while it loads */
  static async open(options: WorkerEngineOptions, { log }: { log: Logger }): Promise<WorkerEngine> {
    const engine = new WorkerEngine(options, log);
    const first = engine.#ready;
    engine.#isClosed = true; // what cannot be loaded once cannot be loaded again
    await first;
    engine.#isClosed = false;
    return engine;
  }

  run(job: EngineJob, listener: EngineListener): EngineRun {
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<Completion>();
    const pending: Pending = { listener, resolve, reject, finish: undefined };
    this.#pending.set(id, pending);
    this.#post(id, () => this.#runMessage(id, job));
    return {
      result: promise,
      cut: (tokens) => this.#finish(id, { length: tokens }),
      abort: () => {
        const worker = this.#worker;
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

  #runMessage(id: number, { asset, request, hint }: EngineJob): ToWorker {
    const model = this.models.find((candidate) => candidate.asset === asset);
    if (!model) throw new FoldmarkError("model.unknown", `${asset} is not loaded.`);
    const chat = model.readChat(request);
    return { type: "run", id, asset, request, ...(chat ? { chat: { ...chat, ...(hint ? { hint } : {}) } } : {}) };
  }

  /** The first decision where an answer ends stands: a cut, or its own end. */
  #finish(id: number, finish: { length?: number }): void {
    const pending = this.#pending.get(id);
    if (!pending || pending.finish) return;
    pending.finish = finish;
    this.#post(id, () => ({ type: "finish", id, ...finish }));
  }

  /** Tells the thread as soon as it is there, in the order of the calls; not for a run that has ended by then. */
  #post(id: number, message: () => ToWorker): void {
    this.#ready.then(
      (worker) => this.#pending.has(id) && worker.postMessage(message()),
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
        this.#settle(id)?.reject(engineFailed(message.code));
    }
  }

  #spawn(): Promise<Worker> {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { workerData: this.#start });
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
    this.#failAll("The engine stopped while it worked on this.");
    const delayMs = RESTART_DELAYS_MS[Math.min(this.#deaths++, RESTART_DELAYS_MS.length - 1)];
    this.#log.error({ err: cause, deaths: this.#deaths, delayMs }, "the engine's thread died and is started again");
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

const engineFailed = (reason: string) =>
  new FoldmarkError("engine.failed", "The engine could not complete this answer.", {
    details: { reason },
    hint: "Nothing was charged. Ask again, or ask another provider.",
  });
