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

/** Tasks of one model that run, and how long one took: a moving average is all that an estimate for `retry-after` needs. */
type Lane = { running: number; secondsEach: number };

/**
 * Who is next. Of each model so many tasks run at a time, and the engine computes them together; the others wait, payers
 * take turns, and each payer is served in the order in which it came.
 */
export class Scheduler {
  readonly limit: number;
  readonly #capacity: (asset: AssetId) => number;
  readonly #turns = new PayerTurns();
  readonly #queue: Task[] = [];
  readonly #lanes = new Map<AssetId, Lane>();
  #whenIdle: (() => void)[] = [];

  constructor({ limit, capacity }: SchedulerOptions) {
    this.limit = limit;
    this.#capacity = capacity;
  }

  get running(): number {
    return this.#lanes.values().reduce((sum, { running }) => sum + running, 0);
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
    const lane = this.#lane(task.asset);
    lane.running++;
    const startedAt = performance.now();
    void task.run().finally(() => {
      lane.secondsEach = 0.7 * lane.secondsEach + 0.3 * ((performance.now() - startedAt) / 1000);
      lane.running--;
      this.#next();
      this.#checkIdle();
    });
  }

  #lane(asset: AssetId): Lane {
    const lane = this.#lanes.get(asset) ?? { running: 0, secondsEach: 1 };
    this.#lanes.set(asset, lane);
    return lane;
  }

  /** At least one runs, whatever an offer says. */
  #hasCapacity(asset: AssetId): boolean {
    return this.#lane(asset).running < Math.max(1, this.#capacity(asset));
  }

  /** Until the next of those that run has ended, and a place in the queue is free. */
  #secondsToRoom(asset: AssetId): number {
    const { running, secondsEach } = this.#lane(asset);
    return Math.max(1, Math.ceil(secondsEach / Math.max(1, running)));
  }

  #checkIdle(): void {
    if (this.running > 0 || this.#queue.length > 0) return;
    const waiting = this.#whenIdle;
    this.#whenIdle = [];
    for (const resolve of waiting) resolve();
  }
}
