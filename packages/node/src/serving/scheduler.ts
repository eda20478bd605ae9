import { FoldmarkError } from "@foldmark/protocol";

/** A piece of work that waits for its turn. `run` settles when the engine is free again; it never rejects. */
export type Task = { run(): Promise<void> };

/**
 * Who is next. First come, first served, `concurrency` at a time, `limit` waiting; the one place that knows, so that
 * batching has a home when it comes.
 */
export class Scheduler {
  readonly limit: number;
  readonly #concurrency: number;
  readonly #queue: Task[] = [];
  #running = 0;
  #secondsEach = 1;
  #whenIdle: (() => void)[] = [];

  constructor({ limit, concurrency = 1 }: { limit: number; concurrency?: number }) {
    this.limit = limit;
    this.#concurrency = concurrency;
  }

  get running(): number {
    return this.#running;
  }

  get queued(): number {
    return this.#queue.length;
  }

  /** @throws `node.busy` with `details.retryAfterSeconds` when nothing more may wait */
  checkRoom(): void {
    if (this.#running < this.#concurrency || this.#queue.length < this.limit) return;
    throw new FoldmarkError("node.busy", `The queue is full: ${this.#queue.length} requests wait.`, {
      details: {
        queued: this.#queue.length,
        limit: this.limit,
        retryAfterSeconds: Math.max(1, Math.ceil(this.#secondsEach)),
      },
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
    if (this.#running === 0 && this.#queue.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#whenIdle.push(resolve));
  }

  #next(): void {
    while (this.#running < this.#concurrency) {
      const task = this.#queue.shift();
      if (!task) break;
      this.#running++;
      const startedAt = performance.now();
      void task.run().finally(() => {
        // a moving average is all that an estimate for `retry-after` needs
        this.#secondsEach = 0.7 * this.#secondsEach + 0.3 * ((performance.now() - startedAt) / 1000);
        this.#running--;
        this.#next();
        this.#checkIdle();
      });
    }
  }

  #checkIdle(): void {
    if (this.#running > 0 || this.#queue.length > 0) return;
    const waiting = this.#whenIdle;
    this.#whenIdle = [];
    for (const resolve of waiting) resolve();
  }
}
