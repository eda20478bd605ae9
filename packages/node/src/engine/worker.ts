// The engine's thread. Chats of one model are computed together; between two calls of the engine it looks for messages. A
// simulation is computed in one go.
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import type { Engine } from "@foldmark/machine";
import { type AnsweredJob, type BuiltModel, families, openPackage, runWhole } from "@foldmark/workloads";
import { openBackend } from "./backend.ts";
import { Batch, type BatchListener } from "./batch.ts";
import { Cancellations } from "./cancellations.ts";
import { isOfOneAnswer } from "./errorOfOneAnswer.ts";
import type { FromWorker, ToWorker, WorkerStart } from "./messages.ts";

type Loaded = {
  engine: Engine;
  model: Pick<BuiltModel, "kind" | "answers" | "length" | "stopIds">;
  batch: Batch;
};

const port = parentPort as MessagePort;
const { packages, cancelled, ...start } = workerData as WorkerStart;
const cancellations = new Cancellations(cancelled);
const isCancelled = (id: number) => cancellations.has(id);
const loaded = new Map<string, Loaded>();

const post = (message: FromWorker) => port.postMessage(message);
const listener: BatchListener = {
  hint: (id, agreed) => post({ type: "hint", id, agreed }),
  token: (id, token) => post({ type: "tokens", id, tokens: [token] }),
  generated: (id) => post({ type: "generated", id }),
  failed: (id, { message, code }) => post({ type: "failed", id, code, message }),
};

for (const { asset, folder } of packages) {
  const { program, constants, manifest } = await openPackage(folder, { families, verify: "once" }); // a restart finds the files as they are then
  const { kind, length, stopIds } = manifest;
  const answers = manifest.answers.map(({ shift, ...source }) => (shift === undefined ? source : { ...source, shift }));
  const engine = await openBackend(start, program, constants);
  loaded.set(asset, {
    engine,
    model: { kind, answers, length, stopIds },
    batch: new Batch(engine, { listener, isCancelled }),
  });
}
port.on("message", (message: ToWorker) => {
  handle(message);
  work();
});
setInterval(() => {
  for (const { batch } of loaded.values()) batch.dropOld();
}, 60_000).unref();
post({ type: "ready" });

/** Computes until nothing is left, one call of each model's engine after the other. */
function work(): void {
  for (;;) {
    const busy = [...loaded.values()].filter(({ batch }) => batch.isBusy);
    if (busy.length === 0) return;
    for (const { batch } of busy) {
      batch.tick({ share: busy.length });
      for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port)) handle(next.message);
    }
  }
}

function handle(message: ToWorker): void {
  const { id } = message;
  try {
    if (message.type === "run") run(message);
    else {
      const known = loaded.values().find(({ batch }) => batch.has(id));
      if (message.type === "abort") known?.batch.remove(id);
      else if (known) complete(known.engine, id, known.batch.finish(id, message));
    }
  } catch (error) {
    // what nobody foresaw may have left the engine in any state: the thread ends, and another one starts clean
    if (!isOfOneAnswer(error)) throw error;
    if (!isCancelled(id)) post({ type: "failed", id, code: String(error.code), message: error.message });
  }
}

function run({ id, asset, payer, request, chat }: Extract<ToWorker, { type: "run" }>): void {
  const known = loaded.get(asset);
  if (!known) throw new Error(`${asset} is not loaded`);
  const { engine, model, batch } = known;
  if (chat) batch.add({ id, payer, model, request, ...chat });
  else complete(engine, id, runWhole(engine, { model, request, isAborted: () => isCancelled(id) }));
}

/** What is completed will be signed: not what a machine computed that has begun to compute wrongly. */
function complete(engine: Engine, id: number, { T, request, claimed }: AnsweredJob): void {
  engine.checkKernels();
  post({ type: "completed", id, T, request, claimed });
}
