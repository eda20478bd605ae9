import { MachineError } from "../../errors.ts";
import { type Functions, type KernelFunction, runChunks } from "./chunks.ts";
import {
  CALLS,
  chunkEnd,
  controlBytes,
  FOLDS,
  JOB,
  job,
  MAX_CALLS,
  MAX_CHUNKS,
  NEXT_CHUNK,
  SPIN_MS,
  STATE,
  spinWhile,
  stateOf,
} from "./control.ts";
import { Hope } from "./hope.ts";
import { type HelperStart, startHelper } from "./workers.ts";

/**
 * How long the driver waits for a helper that has begun a chunk, which takes milliseconds. In turns, so that a computer
 * that slept meanwhile has used up one of them.
 */
const PATIENCE = { turns: 100, milliseconds: 100 };

/** A kernel called for items `0 .. items - 1`, piece by piece on whatever thread takes the piece. */
export type KernelJob = {
  kernel: number;
  items: number;
  itemsPerChunk: number;
  /** Which argument says how many items a call takes. */
  counted: number;
  /** Arguments of a call from item 0 on, and what each item before a piece adds to them. */
  arguments: readonly number[];
  steps: readonly number[];
};

/**
 * The threads of an engine. The caller's thread drives: it posts a job, takes chunks of it as its helpers do, takes the job
 * back from helpers that did not come, and goes on when everything is done.
 */
export class Crew {
  readonly threads: number;
  readonly #control: Int32Array;
  readonly #functions: Functions;
  readonly #helpers: readonly number[];
  readonly #asking: readonly Hope[];
  #stops: (() => void)[] = [];
  #lost: number | undefined;
  #calls = 0;
  #chunks = 0;

  private constructor(threads: number, functions: Functions) {
    this.threads = threads;
    this.#control = new Int32Array(new SharedArrayBuffer(controlBytes(threads - 1)));
    this.#functions = functions;
    this.#helpers = Array.from({ length: threads - 1 }, (_, helper) => helper);
    this.#asking = this.#helpers.map(() => new Hope());
  }

  /** @throws `machine.threads_unavailable` */
  static async start(
    threads: number,
    functions: Functions,
    modules: Pick<HelperStart, "kernels" | "folds">,
  ): Promise<Crew> {
    const crew = new Crew(threads, functions);
    const starting = crew.#helpers.map((helper) =>
      startHelper({ ...modules, control: crew.#control, helper }, () => crew.#lose(helper)),
    );
    const started = await Promise.allSettled(starting);
    crew.#stops = started.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
    for (const each of started)
      if (each.status === "rejected") {
        crew.close();
        throw each.reason;
      }
    return crew;
  }

  get helpers(): readonly number[] {
    return this.#helpers;
  }

  /** Runs a kernel on all threads. @throws `machine.thread_lost` */
  run(kernelJob: KernelJob): void {
    const asked = this.#askedNow();
    const { kernel, arguments: values } = kernelJob;
    // in one piece it reads memory from one end to the other
    if (asked.length === 0) (this.#functions.kernels[kernel] as KernelFunction)(...values);
    else {
      this.#write(kernelJob);
      this.#share(asked);
    }
  }

  /** Runs a kernel on one helper alone. @throws `machine.thread_lost` */
  runOn(helper: number, kernelJob: KernelJob): void {
    if (this.#lost !== undefined) throw this.#lostError(this.#lost);
    this.#write(kernelJob);
    Atomics.store(this.#control, NEXT_CHUNK, 0);
    this.#post(helper);
    // it cannot be told when the helper begins, so the driver looks every millisecond
    for (let turn = 0; Atomics.load(this.#control, stateOf(helper)) === STATE.posted; turn++) {
      if (turn > PATIENCE.turns * PATIENCE.milliseconds) this.#lose(helper);
      Atomics.wait(this.#control, stateOf(helper), STATE.posted, 1);
    }
    this.#await(helper);
  }

  /** Chunks of calls that are worth planning: a thread that starts late or is disturbed leaves its share to the others. */
  get lanes(): number {
    return Math.min(this.threads * 4, MAX_CHUNKS);
  }

  /** Calls of fold functions that can be planned before `runCalls`. */
  static readonly maxCalls = MAX_CALLS;

  /** Plans a call of a fold function in the present chunk. */
  plan(fold: number, frame: number): void {
    this.#control[CALLS + this.#calls * 2] = fold;
    this.#control[CALLS + this.#calls * 2 + 1] = frame;
    this.#calls++;
  }

  /** Ends a chunk of planned calls. They run in their order; those of different chunks in any order. */
  endChunk(): void {
    this.#control[chunkEnd(this.#chunks++)] = this.#calls;
  }

  /** Runs what was planned. @throws `machine.thread_lost` */
  runCalls(): void {
    this.#control[JOB + job.runs] = FOLDS;
    this.#control[JOB + job.chunks] = this.#chunks;
    this.#calls = 0;
    this.#chunks = 0;
    this.#share(this.#askedNow());
  }

  close(): void {
    for (const stop of this.#stops) stop();
    this.#stops = [];
  }

  #write({ kernel, items, itemsPerChunk, counted, arguments: values, steps }: KernelJob): void {
    const control = this.#control;
    control[JOB + job.runs] = kernel;
    control[JOB + job.chunks] = Math.ceil(items / itemsPerChunk);
    control[JOB + job.items] = items;
    control[JOB + job.itemsPerChunk] = itemsPerChunk;
    control[JOB + job.counted] = counted;
    for (let at = 0; at < values.length; at++) {
      control[JOB + job.arguments + at] = values[at] as number;
      control[JOB + job.steps + at] = steps[at] as number;
    }
  }

  /** Helpers that are worth asking. @throws `machine.thread_lost` */
  #askedNow(): number[] {
    if (this.#lost !== undefined) throw this.#lostError(this.#lost);
    return this.#helpers.filter((helper) => this.#asking[helper]?.isWorthTrying());
  }

  #share(asked: readonly number[]): void {
    Atomics.store(this.#control, NEXT_CHUNK, 0);
    for (const helper of asked) this.#post(helper);
    const startedAt = performance.now();
    const done = runChunks(this.#control, this.#functions);
    const doneAt = performance.now();
    // whoever works on a core of its own is done at most a chunk later
    const patience = (2 * (doneAt - startedAt)) / Math.max(1, done) + SPIN_MS;
    for (const helper of asked) {
      const state = Atomics.compareExchange(this.#control, stateOf(helper), STATE.posted, STATE.idle);
      const hasCome = state !== STATE.posted;
      if (hasCome) this.#await(helper);
      this.#asking[helper]?.tried(hasCome && done > 0 && performance.now() - doneAt <= patience);
    }
  }

  #post(helper: number): void {
    const before = Atomics.exchange(this.#control, stateOf(helper), STATE.posted);
    if (before === STATE.asleep) Atomics.notify(this.#control, stateOf(helper));
  }

  /** Waits until a helper that has begun is done. */
  #await(helper: number): void {
    const at = stateOf(helper);
    spinWhile(this.#control, at, STATE.running);
    for (let turn = 0; turn < PATIENCE.turns; turn++) {
      const state = Atomics.compareExchange(this.#control, at, STATE.running, STATE.awaited);
      if (state === STATE.idle || state === STATE.asleep) return;
      if (state === STATE.lost) break;
      Atomics.wait(this.#control, at, STATE.awaited, PATIENCE.milliseconds);
    }
    this.#lose(helper);
    throw this.#lostError(helper);
  }

  #lose(helper: number): void {
    this.#lost ??= helper;
    Atomics.store(this.#control, stateOf(helper), STATE.lost);
  }

  #lostError(helper: number): MachineError {
    const message = "A thread of the engine has ended; close the engine and open it again.";
    return new MachineError("machine.thread_lost", message, { thread: helper + 1, threads: this.threads });
  }
}
