import type { Engine, Move, MoveResult, Session } from "@foldmark/machine";
import { WorkloadError } from "../errors.ts";
import { tokenBytes, tokensOf, withLimit } from "../llama/request.ts";
import { type AnsweredJob, answerOf, assertTrue, type ServedModel } from "./job.ts";

export type GenerationOptions = {
  model: ServedModel;
  request: Uint8Array[];
  /** What the request tensors say. */
  prompt: readonly number[];
  limit: number;
  /** Tokens that somebody else has given for the same request. They are recomputed, never believed. */
  hint?: readonly number[];
  /** A session of the same engine that has read the first `steps` tokens of the prompt, fewer than all; it stays as it is. */
  from?: { session: Session; steps: number };
};

/**
 * Most steps of a move that one generation makes by itself. Prompts are read in slices, so that nobody waits for longer
 * than one of them takes before a request can be given up. At 64 a prompt of 2,000 tokens costs 2 % more than in one call.
 */
export const PREFILL_STEPS = 64;

/** Tokens that are still to be read in one go, and after which of them somebody asks what follows. */
type Reading = { tokens: readonly number[]; want: "last" | "all" };

/** What one move has read, and what is sampled after each of those tokens that were asked about. */
type Read = { steps: number; sampled: number[] };

/**
 * An answer in the making, token by token. It says what it wants to read next, and takes what came of it: alone, or
 * together with others in one call of the engine. Every call computes on this thread until it returns.
 * @example
 * using generation = Generation.open(engine, { model, request, prompt, limit });
 * while (generation.read()); // between two calls it may be closed
 * for (let token = generation.next(); token !== undefined; token = generation.next()) send(token);
 * const answer = generation.finish();
 * @example
 * const moves = generations.map((generation) => generation.move(generation.wanted));
 * const results = engine.advance(moves);
 * for (const [at, generation] of generations.entries()) generation.take(results[at]);
 */
export class Generation {
  readonly #engine: Engine;
  readonly #options: GenerationOptions;
  readonly #tokens: number[] = [];
  readonly #prefill: Iterator<Reading, void, Read>;
  #session: Session;
  /** What is left of the prompt or the hint. */
  #reading: Reading | undefined;
  /** Steps of the move whose result has not been taken. */
  #steps = 0;
  /** The token after those that the session has read; not yet an element of `tokens`. */
  #sampled: number | undefined;
  #agreed = 0;

  private constructor(engine: Engine, options: GenerationOptions) {
    this.#engine = engine;
    this.#options = options;
    const { request, from } = options;
    const reserveSteps = longest(options);
    this.#session = from
      ? engine.fork(from.session, { steps: from.steps, request, reserveSteps })
      : engine.open({ request }, { reserveSteps });
    this.#prefill = this.#readAll();
    this.#reading = this.#prefill.next().value ?? undefined;
  }

  /**
   * Computes nothing yet: reading comes next. The memory of the longest answer is taken here and not later.
   * @throws `machine.out_of_memory`, and `machine.request_mismatch` or `machine.step_missing` where a session is no beginning
   * of this answer
   */
  static open(engine: Engine, options: GenerationOptions): Generation {
    return new Generation(engine, options);
  }

  /** Reads the prompt and checks the hint before it returns. */
  static start(engine: Engine, options: GenerationOptions): Generation {
    const generation = Generation.open(engine, options);
    try {
      while (generation.read());
      return generation;
    } catch (error) {
      generation.close();
      throw error;
    }
  }

  /** Reads one more slice of the prompt, or checks one of the hint. False when there is nothing left to read. */
  read(): boolean {
    if (this.isReading) this.#advance();
    return this.isReading;
  }

  /** Prompt or hint have not been read to their end. */
  get isReading(): boolean {
    return this.#reading !== undefined;
  }

  /** Most steps of its next move: what is left to read, then 1 for each token; 0 while a sampled token waits for `next`. */
  get wanted(): number {
    if (this.#reading) return this.#reading.tokens.length;
    return this.#sampled === undefined && !this.isComplete ? 1 : 0;
  }

  /** A token has been sampled: `next` gives it without computing anything. */
  get hasNext(): boolean {
    return !this.isReading && !this.isComplete && this.#sampled !== undefined;
  }

  /** Its next move, of 1 to `wanted` steps. The engine's result of it goes to `take`. */
  move(steps: number): Move {
    const { tokens, want } = this.#reading ?? { tokens: this.#tokens.slice(-1), want: "last" };
    const read = tokens.slice(0, steps);
    const { stage, fold } = answerOf(this.#options.model);
    // nobody asks what would follow the tokens of a prompt but the last
    const isAsked = want === "all" || steps === tokens.length;
    this.#steps = steps;
    return {
      ...{ session: this.#session, steps, claimed: [tokenBytes(read)] },
      want: isAsked ? [{ stage, fold, steps: want }] : [],
    };
  }

  /** Takes what the engine made of the last move. */
  take([result]: MoveResult): void {
    const sampled = tokensOf(result ?? new Uint8Array());
    if (!this.#reading) this.#sampled = sampled.at(-1);
    else this.#reading = this.#prefill.next({ steps: this.#steps, sampled }).value ?? undefined;
  }

  /** How many tokens of the hint are what this engine computes: the answer starts with them. */
  get agreed(): number {
    return this.#agreed;
  }

  /** The answer so far, the agreed part of the hint included. */
  get tokens(): readonly number[] {
    return this.#tokens;
  }

  /** Its session, and which tokens of prompt and answer that has read. */
  get soFar(): { session: Session; tokens: readonly number[] } {
    const tokens = [...this.#options.prompt, ...this.#tokens].slice(0, this.#session.steps);
    return { session: this.#session, tokens };
  }

  /** A stop token was sampled or the limit is reached. */
  get isComplete(): boolean {
    return isComplete(this.#tokens, this.#options);
  }

  /** The next token, or undefined when the answer is complete. */
  next(): number | undefined {
    if (this.isReading) throw new Error("the prompt has not been read");
    if (this.isComplete) return undefined;
    if (this.#sampled === undefined) this.#advance();
    const token = this.#sampled as number;
    this.#sampled = undefined;
    this.#tokens.push(token);
    return token;
  }

  /**
   * The answer as a job that is true: every element of the last stage is evaluated to 1 before this returns. An answer of
   * `length` tokens that ends before a stop token or the limit is a whole answer to the request with the limit lowered.
   * @throws `execution.nothing_to_finish` with no token, `execution.untrue`
   */
  finish({
    length = this.#tokens.length,
  }: {
    length?: number;
  } = {}): AnsweredJob & { tokens: number[]; isCut: boolean } {
    if (!(length >= 1 && length <= this.#tokens.length)) {
      throw new WorkloadError(
        "execution.nothing_to_finish",
        `An answer of ${length} tokens cannot be finished; ${this.#tokens.length} are there.`,
        { length, tokens: this.#tokens.length },
      );
    }
    const tokens = this.#tokens.slice(0, length);
    const isCut = !isComplete(tokens, this.#options);
    const request = isCut ? withLimit(this.#options.request, length) : this.#options.request;
    const claimed = [tokenBytes([...this.#options.prompt, ...tokens])];
    const T = this.#options.prompt.length + length;
    assertTrue(this.#engine.finish(this.#session, { T, request, claimed }));
    return { request, claimed, T, tokens, isCut };
  }

  close(): void {
    this.#session.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #advance(): void {
    const [result] = this.#engine.advance([this.move(Math.min(this.wanted, PREFILL_STEPS))]);
    this.take(result ?? []);
  }

  *#readAll(): Generator<Reading, void, Read> {
    const { prompt } = this.#options;
    this.#sampled = (yield* readOf(prompt.slice(this.#session.steps), "last")).at(-1);
    const hint = usableHint(this.#options);
    if (hint.length === 0 || hint[0] !== this.#sampled) return;
    // the last token of a complete answer is not read: nothing follows it
    const read = isComplete(hint, this.#options) ? hint.slice(0, -1) : hint;
    const own = [this.#sampled, ...(yield* readOf(read, "all", { until: hint.slice(1) }))];
    const wrong = hint.findIndex((token, i) => token !== own[i]);
    this.#agreed = wrong < 0 ? hint.length : wrong;
    this.#tokens.push(...hint.slice(0, this.#agreed));
    this.#sampled = this.isComplete ? undefined : own[this.#agreed];
    this.#goBack(prompt.length + this.#agreed);
  }

  /** Forgets what was read behind so many steps. */
  #goBack(steps: number): void {
    if (this.#session.steps <= steps) return;
    const far = this.#session;
    this.#session = this.#engine.fork(far, { steps, reserveSteps: longest(this.#options) });
    far.close();
  }
}

/**
 * Asks for tokens to be read, as many at a time as whoever moves likes, and returns what is sampled after the last of
 * them, or after each; no further than to the end of the move in which a sample differs from `until`.
 */
function* readOf(
  tokens: readonly number[],
  want: "last" | "all",
  { until = [] }: { until?: readonly number[] } = {},
): Generator<Reading, number[], Read> {
  const samples: number[] = [];
  for (let at = 0; at < tokens.length; ) {
    const { steps, sampled } = yield { tokens: tokens.slice(at), want };
    at += steps;
    samples.push(...sampled);
    if (samples.some((token, i) => i < until.length && token !== until[i])) break;
  }
  return samples;
}

/** An answer that nobody reads while it is made. */
export function generateWhole(engine: Engine, options: GenerationOptions): ReturnType<Generation["finish"]> {
  using generation = Generation.start(engine, options);
  while (generation.next() !== undefined);
  return generation.finish();
}

const longest = ({ prompt, limit }: GenerationOptions): number => prompt.length + limit;

const isComplete = (tokens: readonly number[], { model, limit }: GenerationOptions): boolean =>
  tokens.length >= limit || model.stopIds.includes(tokens.at(-1) ?? -1);

/** What of a hint can be part of an answer: nothing behind its end. */
function usableHint({ hint = [], model, limit }: GenerationOptions): readonly number[] {
  const stop = hint.findIndex((token) => model.stopIds.includes(token));
  return hint.slice(0, Math.min(limit, stop < 0 ? hint.length : stop + 1));
}
