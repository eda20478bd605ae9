import type { CallOptions, Engine, Move, MoveResult } from "@foldmark/machine";
import { type AnsweredJob, Generation, type GenerationOptions } from "@foldmark/workloads";
import { type ErrorOfOneAnswer, isOfOneAnswer } from "./errorOfOneAnswer.ts";
import { KeptSessions } from "./keptSessions.ts";
import { PayerTurns } from "./payerTurns.ts";
import { SliceSize } from "./sliceSize.ts";

/** What becomes of the answers of a batch. Called between two calls of the engine. */
export type BatchListener = {
  /** How many tokens of a hint are the engine's own too; before any token, where there was a hint. */
  hint(id: number, agreed: number): void;
  token(id: number, token: number): void;
  /** Nothing more will come: the answer waits to be finished. */
  generated(id: number): void;
  failed(id: number, error: { code: string; message: string }): void;
};

export type BatchDeps = {
  listener: BatchListener;
  /** Whether an answer was called off, asked while the engine computes. */
  isCancelled?: (id: number) => boolean;
  /** Milliseconds since any time, by which slices are measured. */
  clock?: () => number;
};

/** What an answer is made from, and who takes turns for it. */
export type BatchOrder = GenerationOptions & { id: number; payer: string };

type Run = { id: number; payer: string; generation: Generation; isHinted: boolean };
type Turn = { run: Run; steps: number };

/**
 * Answers of one model that are computed together. Every tick is one call of the engine: each stream's next token, and
 * slices of prompts as large as the streams can bear. An answer joins and leaves between two ticks, and no bit of it
 * depends on its neighbours.
 */
export class Batch {
  readonly #engine: Engine;
  readonly #listener: BatchListener;
  readonly #isCancelled: (id: number) => boolean;
  readonly #clock: () => number;
  readonly #runs = new Map<number, Run>();
  /** Answers for which there is no room yet, in the order in which they came. */
  readonly #waiting = new Map<number, BatchOrder>();
  readonly #turns = new PayerTurns();
  readonly #slices = new SliceSize();
  readonly #kept: KeptSessions;
  /** What joining and leaving has taken since the last tick. */
  #spentMs = 0;

  constructor(engine: Engine, { listener, isCancelled = () => false, clock = () => performance.now() }: BatchDeps) {
    this.#engine = engine;
    this.#kept = new KeptSessions(engine);
    this.#listener = listener;
    this.#isCancelled = isCancelled;
    this.#clock = clock;
  }

  has(id: number): boolean {
    return this.#runs.has(id) || this.#waiting.has(id);
  }

  /** Whether a tick would compute anything. */
  get isBusy(): boolean {
    return this.#runs.values().some(({ generation }) => generation.wanted > 0);
  }

  /** Takes an answer in, as soon as there is room for it. @throws `machine.out_of_memory` where there never will be, `request.*` */
  add(order: BatchOrder): void {
    this.#timed(() => {
      if (this.#waiting.size > 0 || !this.#open(order)) this.#waiting.set(order.id, order);
    });
  }

  /** Ends an answer at `length` tokens, or at all of them. @throws `execution.*` */
  finish(id: number, { length }: { length?: number }): AnsweredJob {
    const run = this.#runs.get(id);
    if (!run) throw new Error(`no answer ${id}`);
    try {
      const finish = () => run.generation.finish(length === undefined ? {} : { length });
      return this.#timed(() => this.#withRoom(finish));
    } finally {
      this.remove(id);
    }
  }

  /** Ends an answer with nothing. What was read for it is kept for a while. */
  remove(id: number): void {
    this.#waiting.delete(id);
    const run = this.#runs.get(id);
    this.#timed(() => {
      if (run && this.#waiting.size === 0) this.#kept.keep({ payer: run.payer, ...run.generation.soFar });
      this.#close(id);
    });
  }

  /** Lets go of what was kept for too long. */
  dropOld(): void {
    this.#kept.dropOld();
  }

  /** One call of the engine. @param share - batches that take turns on this thread, this one included */
  tick({ share }: { share: number }): void {
    const turns = this.#nextTurns(share);
    const reading = turns.reduce((sum, { run, steps }) => sum + (run.generation.isReading ? steps : 0), 0);
    const streams = turns.filter(({ run }) => !run.generation.isReading).length;
    const startedAt = this.#clock();
    const isAborted = () => turns.every(({ run }) => this.#isCancelled(run.id));
    const moves = turns.map(({ run, steps }) => run.generation.move(steps));
    const results = this.#advance(moves, { isAborted });
    const ms = this.#clock() - startedAt;
    if (!results.some((result) => result instanceof Error)) this.#slices.note({ streams, reading, ms });
    for (const [at, { run }] of turns.entries()) this.#take(run, results[at] as MoveResult | Error);
  }

  #timed<T>(work: () => T): T {
    const startedAt = this.#clock();
    try {
      return work();
    } finally {
      this.#spentMs += this.#clock() - startedAt;
    }
  }

  #close(id: number): void {
    this.#runs.get(id)?.generation.close();
    this.#runs.delete(id);
    this.#openWaiting();
  }

  /** Whether there was room. @throws what is no question of room, or if nothing else could make room */
  #open({ id, payer, ...options }: BatchOrder): boolean {
    try {
      const generation = this.#withRoom(() => this.#begin(payer, options));
      this.#runs.set(id, { id, payer, generation, isHinted: options.hint !== undefined });
      return true;
    } catch (error) {
      if (this.#runs.size > 0 && isOfOneAnswer(error) && error.code === "machine.out_of_memory") return false;
      throw error;
    }
  }

  /** What is kept makes room for what is wanted. */
  #withRoom<T>(work: () => T): T {
    for (;;) {
      try {
        return work();
      } catch (error) {
        if (!isOfOneAnswer(error) || error.code !== "machine.out_of_memory" || !this.#kept.dropOldest()) throw error;
      }
    }
  }

  /** Goes on from what has been read of the prompt already, where its request allows it. */
  #begin(payer: string, options: GenerationOptions): Generation {
    const from = this.#kept.find({ payer, prompt: options.prompt });
    try {
      if (from) return Generation.open(this.#engine, { ...options, from });
    } catch (error) {
      if (!isOfOneAnswer(error) || (error.code !== "machine.request_mismatch" && error.code !== "machine.step_missing"))
        throw error;
    }
    return Generation.open(this.#engine, options);
  }

  #openWaiting(): void {
    for (const [id, order] of this.#waiting) {
      try {
        if (!this.#open(order)) return;
      } catch (error) {
        if (!isOfOneAnswer(error)) throw error;
        this.#fail(id, error);
      }
      this.#waiting.delete(id);
    }
  }

  /** Nobody waits any more for what was called off. */
  #fail(id: number, { code, message }: ErrorOfOneAnswer): void {
    if (!this.#isCancelled(id)) this.#listener.failed(id, { code: String(code), message });
  }

  /** Every stream, and of the prompts as much as fits beside them: payers in turn. */
  #nextTurns(share: number): Turn[] {
    const wanting = [...this.#runs.values()].filter(({ generation }) => generation.wanted > 0);
    const streams = wanting.filter(({ generation }) => !generation.isReading).map((run) => ({ run, steps: 1 }));
    const slices: Turn[] = [];
    let left = this.#slices.tokens({ streams: streams.length, share, spentMs: this.#spentMs });
    this.#spentMs = 0;
    for (const run of this.#turns.inTurn(wanting.filter(({ generation }) => generation.isReading))) {
      const steps = Math.min(left, run.generation.wanted);
      if (steps > 0) slices.push({ run, steps });
      left -= steps;
    }
    for (const { run } of slices) this.#turns.served(run.payer);
    return [...streams, ...slices];
  }

  /** Moves all at once; where that fails, one by one, so that an error is of the answer that it belongs to. */
  #advance(moves: Move[], options: CallOptions): (MoveResult | Error)[] {
    try {
      return this.#withRoom(() => this.#engine.advance(moves, options));
    } catch (error) {
      if (!isOfOneAnswer(error)) throw error;
      if (moves.length === 1) return [error];
      return moves.flatMap((move) => this.#advance([move], options));
    }
  }

  #take(run: Run, result: MoveResult | Error): void {
    const { id, generation } = run;
    try {
      if (result instanceof Error) throw result;
      const wasReading = generation.isReading;
      generation.take(result);
      if (generation.isReading) return;
      if (wasReading && run.isHinted) this.#listener.hint(id, generation.agreed);
      if (generation.hasNext) this.#listener.token(id, generation.next() as number);
      if (generation.isComplete) this.#listener.generated(id);
    } catch (error) {
      if (!isOfOneAnswer(error)) throw error;
      this.#close(id);
      this.#fail(id, error);
    }
  }
}
