import type { Engine, Move, MoveResult } from "@foldmark/machine";
import { type AnsweredJob, Generation, type GenerationOptions } from "@foldmark/workloads";
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
  /** Milliseconds since any time, by which slices are measured. */
  clock?: () => number;
};

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
  readonly #clock: () => number;
  readonly #runs = new Map<number, Run>();
  readonly #turns = new PayerTurns();
  readonly #slices = new SliceSize();

  constructor(engine: Engine, { listener, clock = () => performance.now() }: BatchDeps) {
    this.#engine = engine;
    this.#listener = listener;
    this.#clock = clock;
  }

  has(id: number): boolean {
    return this.#runs.has(id);
  }

  /** Whether a tick would compute anything. */
  get isBusy(): boolean {
    return this.#runs.values().some(({ generation }) => generation.wanted > 0);
  }

  /** @throws `machine.*` where there is no room, `request.*` */
  add({ id, payer, ...options }: GenerationOptions & { id: number; payer: string }): void {
    const generation = Generation.open(this.#engine, options);
    this.#runs.set(id, { id, payer, generation, isHinted: options.hint !== undefined });
  }

  /** Ends an answer at `length` tokens, or at all of them. @throws `execution.*` */
  finish(id: number, { length }: { length?: number }): AnsweredJob {
    const run = this.#runs.get(id);
    if (!run) throw new Error(`no answer ${id}`);
    try {
      return run.generation.finish(length === undefined ? {} : { length });
    } finally {
      this.remove(id);
    }
  }

  /** Ends an answer with nothing. */
  remove(id: number): void {
    this.#runs.get(id)?.generation.close();
    this.#runs.delete(id);
  }

  /** One call of the engine. @param share - batches that take turns on this thread, this one included */
  tick({ share }: { share: number }): void {
    const turns = this.#nextTurns(share);
    const rows = turns.reduce((sum, { steps }) => sum + steps, 0);
    const reading = turns.reduce((sum, { run, steps }) => sum + (run.generation.isReading ? steps : 0), 0);
    const startedAt = this.#clock();
    const results = this.#advance(turns.map(({ run, steps }) => run.generation.move(steps)));
    this.#slices.note({ rows, reading, ms: this.#clock() - startedAt });
    for (const [at, { run }] of turns.entries()) this.#take(run, results[at] as MoveResult | Error);
  }

  /** Every stream, and of the prompts as much as fits beside them: payers in turn. */
  #nextTurns(share: number): Turn[] {
    const wanting = [...this.#runs.values()].filter(({ generation }) => generation.wanted > 0);
    const streams = wanting.filter(({ generation }) => !generation.isReading).map((run) => ({ run, steps: 1 }));
    const slices: Turn[] = [];
    let left = this.#slices.tokens({ streams: streams.length, share });
    for (const run of this.#turns.inTurn(wanting.filter(({ generation }) => generation.isReading))) {
      const steps = Math.min(left, run.generation.wanted);
      if (steps > 0) slices.push({ run, steps });
      left -= steps;
    }
    for (const { run } of slices) this.#turns.served(run.payer);
    return [...streams, ...slices];
  }

  /** Moves all at once; where that fails, one by one, so that an error is of the answer that it belongs to. */
  #advance(moves: Move[]): (MoveResult | Error)[] {
    try {
      return this.#engine.advance(moves);
    } catch (error) {
      if (!isKnown(error)) throw error;
      if (moves.length === 1) return [error];
      return moves.flatMap((move) => this.#advance([move]));
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
      if (!isKnown(error)) throw error;
      this.remove(id);
      this.#listener.failed(id, { code: String(error.code), message: error.message });
    }
  }
}

/** An error with a code is of one answer. What nobody foresaw may have left the engine in any state. */
const isKnown = (error: unknown): error is Error & { code: unknown } => error instanceof Error && "code" in error;
