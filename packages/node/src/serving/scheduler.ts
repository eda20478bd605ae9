import { type AssetId, FoldmarkError } from "@foldmark/protocol";
import { PayerTurns } from "../engine/payerTurns.ts";

/** Whose work it is, and for which model. */
export type Place = { readonly payer: string; readonly asset: AssetId };

/** A piece of work that waits for its turn. `run` settles when the engine is free again; it never rejects. */
export type Task = Place & { run(): Promise<void> };

export type SchedulerOptions = {
  /** Tasks that may wait. A payer of whom nothing waits finds room beyond it, in as many places again. */
  limit: number;
  /** Tasks of a model that run at a time. */
  capacity(asset: AssetId): number;
};

/**
 * Who is next. Of each model so many tasks run at a time, and the engine computes them together; the others wait, payers
 * take turns, and each payer is served in the order in which it came.
 */
export class Scheduler {
  readonly limit: number;
  readonly #capacity: (asset: AssetId) => number;
  readonly #turns = new PayerTurns();
  readonly #queue: Task[] = [];
  readonly #runningOf = new Map<AssetId, number>();
  #secondsEach = 1;
  #whenIdle: (() => void)[] = [];

  constructor({ limit, capacity }: SchedulerOptions) {
    this.limit = limit;
    this.#capacity = capacity;
  }

  get running(): number {
    return this.#runningOf.values().reduce((sum, count) => sum + count, 0);
  }

  get queued(): number {
    return this.#queue.length;
  }

  /** @throws `node.busy` with `details.retryAfterSeconds` when nothing more of this payer may wait */
  checkRoom({ payer, asset }: Place): void {
    if (this.#hasCapacity(asset) || this.#queue.length < this.limit) return;
    if (this.#queue.length < 2 * this.limit && !this.#queue.some((task) => task.payer === payer)) return;
    throw new FoldmarkError("node.busy", `The queue is full: ${this.#queue.length} requests wait.`, {
      details: { queued: this.#queue.length, limit: this.limit, retryAfterSeconds: this.#secondsToRoom(asset) },
      hint: "Ask again after `retry-after` seconds, or ask another provider.",
    });
  }

  add(task: Task): void {
    this.#queue.push(task);
    this.#next();
  }

  /** Takes a task out of the queue. False when it runs already or has run. */
  remove(task: Task): boolean {
    const at = this.#queue.indexOf(task);
    if (at < 0) return false;
    this.#queue.splice(at, 1);
    this.#checkIdle();
    return true;
  }

  /** Resolves when nothing runs and nothing waits. */
  idle(): Promise<void> {
    if (this.running === 0 && this.#queue.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  #next(): void {
    for (;;) {
      const task = this.#turns.inTurn(this.#queue).find(({ asset }) => this.#hasCapacity(asset));
      if (!task) break;
      this.#turns.served(task.payer);
      this.#queue.splice(this.#queue.indexOf(task), 1);
      this.#start(task);
    }
  }

  #start(task: Task): void {
    const { asset } = task;
    this.#runningOf.set(asset, this.#running(asset) + 1);
    const startedAt = performance.now();
    void task.run().finally(() => {
      // a moving average is all that an estimate for `retry-after` needs
      this.#secondsEach = 0.7 * this.#secondsEach + 0.3 * ((performance.now() - startedAt) / 1000);
      this.#runningOf.set(asset, this.#running(asset) - 1);
      this.#next();
      this.#checkIdle();
    });
  }

  #running(asset: AssetId): number {
    return this.#runningOf.get(asset) ?? 0;
  }

  /** At least one runs, whatever an offer says. */
  #hasCapacity(asset: AssetId): boolean {
    return this.#running(asset) < Math.max(1, this.#capacity(asset));
  }

  /** Until the next of those that run has ended, and a place in the queue is free. */
  #secondsToRoom(asset: AssetId): number {
    return Math.max(1, Math.ceil(this.#secondsEach / Math.max(1, this.#running(asset))));
  }

  #checkIdle(): void {
    if (this.running > 0 || this.#queue.length > 0) return;
    const waiting = this.#whenIdle;
    this.#whenIdle = [];
    for (const resolve of waiting) resolve();
  }
}
