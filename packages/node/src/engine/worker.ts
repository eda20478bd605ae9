// The engine's thread. It computes one request at a time and looks for messages between two slices of a prompt and between
// two tokens.
import { type MessagePort, parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import type { Engine } from "@foldmark/machine";
import { type BuiltModel, families, Generation, openPackage, runWhole } from "@foldmark/workloads";
import { openBackend } from "./backend.ts";
import type { FromWorker, ToWorker, WorkerStart } from "./messages.ts";

type Loaded = { engine: Engine; model: Pick<BuiltModel, "kind" | "answers" | "length" | "stopIds"> };
type Run = Extract<ToWorker, { type: "run" }>;

const port = parentPort as MessagePort;
const { packages, backend } = workerData as WorkerStart;
const loaded = new Map<string, Loaded>();
/** The answer in the making. */
let current: { id: number; generation: Generation } | undefined;

const post = (message: FromWorker) => port.postMessage(message);

for (const { asset, folder } of packages) {
  const { program, constants, manifest } = await openPackage(folder, { families, verify: "once" }); // a restart finds the files as they are then
  const { kind, length, stopIds } = manifest;
  const answers = manifest.answers.map(({ shift, ...source }) => (shift === undefined ? source : { ...source, shift }));
  loaded.set(asset, {
    engine: await openBackend(backend, program, constants),
    model: { kind, answers, length, stopIds },
  });
}
port.on("message", handle);
post({ type: "ready" });

function handle(message: ToWorker): void {
  try {
    if (message.type === "run") run(message);
    else if (message.id === current?.id) control(message);
  } catch (error) {
    close();
    // what nobody foresaw may have left the engine in any state: the thread ends, and another one starts clean
    if (!(error instanceof Error && "code" in error)) throw error;
    post({ type: "failed", id: message.id, code: String(error.code), message: error.message });
  }
}

function run({ id, asset, request, chat }: Run): void {
  const known = loaded.get(asset);
  if (!known) throw new Error(`${asset} is not loaded`);
  const { engine, model } = known;
  if (!chat) {
    const { T, claimed } = runWhole(engine, { model, request });
    post({ type: "completed", id, T, request, claimed });
    return;
  }
  const { prompt, limit, hint } = chat;
  const generation = Generation.open(engine, { model, request, prompt, limit, ...(hint ? { hint } : {}) });
  current = { id, generation };
  while (generation.read()) if (!isWanted(id)) return;
  if (hint) post({ type: "hint", id, agreed: generation.agreed });
  while (isWanted(id)) {
    const token = generation.next();
    if (token === undefined) {
      post({ type: "generated", id });
      return;
    }
    post({ type: "tokens", id, tokens: [token] });
  }
}

/** Handles what has come meanwhile; false when that ended the answer. */
function isWanted(id: number): boolean {
  for (;;) {
    const waiting = current?.id === id ? receiveMessageOnPort(port) : undefined;
    if (!waiting) return current?.id === id;
    handle(waiting.message as ToWorker);
  }
}

function control(message: Exclude<ToWorker, Run>): void {
  if (current && message.type === "finish") {
    const { length } = message;
    const { T, request, claimed } = current.generation.finish(length === undefined ? {} : { length });
    post({ type: "completed", id: message.id, T, request, claimed });
  }
  close();
}

function close(): void {
  current?.generation.close();
  current = undefined;
}
