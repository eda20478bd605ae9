import { FoldmarkError } from "@foldmark/protocol";
import type { Logger } from "@foldmark/service";
import type { AnswerEngine, EngineJob, EngineListener, EngineRun, ServedModel } from "./answerEngine.ts";
import { EngineThread } from "./engineThread.ts";
import type { WorkerStart } from "./messages.ts";
import type { OpenedModel } from "./openModel.ts";

export type WorkerEngineOptions = {
  models: readonly OpenedModel[];
  backend?: WorkerStart["backend"];
  /** Threads that compute for each model. */
  threads?: number;
};

/**
 * An engine in threads of its own: one for all chats, which are computed together, and one for simulations, so that a
 * stream does not wait for seconds until a simulation is done.
 */
export class WorkerEngine implements AnswerEngine {
  readonly models: readonly OpenedModel[];
  readonly #threads: ReadonlyMap<ServedModel["kind"], EngineThread>;

  private constructor(models: readonly OpenedModel[], threads: ReadonlyMap<ServedModel["kind"], EngineThread>) {
    this.models = models;
    this.#threads = threads;
  }

  /** Loads all models. @throws what a thread throws while it loads */
  static async open(
    { models, backend = "wasm", threads: engineThreads = 1 }: WorkerEngineOptions,
    { log }: { log: Logger },
  ): Promise<WorkerEngine> {
    await using opened = new AsyncDisposableStack();
    const threads = new Map<ServedModel["kind"], EngineThread>();
    for (const [kind, served] of Map.groupBy(models, ({ kind }) => kind)) {
      const packages = served.map(({ asset, folder }) => ({ asset, folder }));
      const thread = await EngineThread.open({ packages, backend, threads: engineThreads }, { log });
      opened.defer(() => thread.close());
      threads.set(kind, thread);
    }
    opened.move();
    return new WorkerEngine(models, threads);
  }

  run({ asset, request, payer = "", hint }: EngineJob, listener: EngineListener): EngineRun {
    const model = this.models.find((candidate) => candidate.asset === asset);
    const thread = model && this.#threads.get(model.kind);
    if (!thread) throw new FoldmarkError("model.unknown", `${asset} is not loaded.`);
    const chat = model.readChat(request);
    const asked = chat && { chat: { ...chat, ...(hint ? { hint } : {}) } };
    return thread.run({ asset, payer, request, ...asked }, listener);
  }

  /** Ends its threads as crashes would. */
  kill(): void {
    for (const thread of this.#threads.values()) thread.kill();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#threads.values()].map((thread) => thread.close()));
  }
}
