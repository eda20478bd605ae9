import { MachineError } from "../../errors.ts";
import type { CompiledModule } from "../asm.ts";

/** What a helper is started with: compiled modules, what they import, and the control block. All of it can be cloned or is shared. */
export type HelperStart = { kernels: CompiledModule; folds: CompiledModule; control: Int32Array; helper: number };

type WebWorker = {
  postMessage(message: unknown): void;
  terminate(): void;
  onmessage: (() => void) | null;
  onerror: ((event: { message?: string }) => void) | null;
};
// of browsers; Node has its own class in a module, which is looked up so that a bundle for browsers does not need it
declare const Worker: (new (url: URL, options: { type: "module" }) => WebWorker) | undefined;
const nodeThreads = () => globalThis.process?.getBuiltinModule?.("node:worker_threads");

const unavailable = (why: string, options?: ErrorOptions) =>
  new MachineError(
    "machine.threads_unavailable",
    `An engine with several threads cannot run here: ${why}.`,
    {},
    options,
  );

const MOST_THREADS = 64;

/** @throws `machine.threads_unavailable` where memory cannot be shared, threads cannot be started or this one must not wait */
export function assertThreads(threads: number): void {
  if (!Number.isInteger(threads) || threads < 1 || threads > MOST_THREADS)
    throw unavailable(`threads is ${threads}, not a number from 1 to ${MOST_THREADS}`);
  if (typeof SharedArrayBuffer === "undefined" || Reflect.get(globalThis, "crossOriginIsolated") === false)
    throw unavailable("memory is shared only by pages that are cross-origin isolated");
  if (nodeThreads() === undefined && typeof Worker === "undefined") throw unavailable("there are no workers");
  try {
    // returns at once as the word is not 1, but not on a page's main thread
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1);
  } catch (cause) {
    throw unavailable("this thread must not wait, so open the engine in a worker", { cause });
  }
}

/**
 * Starts a helper that does not keep its process alive, and waits until it is ready. Returns what ends it.
 * @param ended - called when it ends after that, whatever the reason
 * @throws `machine.threads_unavailable`
 */
export async function startHelper(start: HelperStart, ended: () => void): Promise<() => void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const failed = (cause: unknown) => {
    reject(unavailable("a thread did not start", { cause }));
    ended();
  };
  const threads = nodeThreads();
  if (threads === undefined) {
    if (typeof Worker === "undefined") throw unavailable("there are no workers");
    const worker = new Worker(new URL("./helper.ts", import.meta.url), { type: "module" });
    worker.onmessage = () => resolve();
    worker.onerror = failed;
    worker.postMessage(start);
    await promise;
    return () => worker.terminate();
  }
  const worker = new threads.Worker(new URL("./helper.ts", import.meta.url));
  worker.once("message", () => resolve());
  worker.on("error", failed);
  worker.once("exit", failed);
  worker.postMessage(start);
  await promise;
  worker.unref();
  return () => void worker.terminate();
}

type Port = {
  once(name: "message", listener: (message: HelperStart) => void): void;
  postMessage(message: string): void;
};

/** What a helper was started with, and how it says that it is ready. */
export async function startOfHelper(): Promise<{ start: HelperStart; ready(): void }> {
  const { promise, resolve } = Promise.withResolvers<HelperStart>();
  const port: Port | null | undefined = nodeThreads()?.parentPort;
  if (port) port.once("message", resolve);
  else Reflect.set(globalThis, "onmessage", ({ data }: { data: HelperStart }) => resolve(data));
  const start = await promise;
  const post: (message: string) => void = port
    ? (message) => port.postMessage(message)
    : Reflect.get(globalThis, "postMessage");
  return { start, ready: () => post("ready") };
}
