import type { Engine, Session } from "@foldmark/machine";
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
};

/**
 * An answer in the making, token by token. Every call computes on this thread until it returns: run it in a worker.
 * @example
 * using generation = Generation.start(engine, { model, request, prompt, limit });
 * for (let token = generation.next(); token !== undefined; token = generation.next()) send(token);
 * const answer = generation.finish();
 */
export class Generation {
  readonly #engine: Engine;
  readonly #options: GenerationOptions;
  readonly #tokens: number[];
  #session: Session;
  /** The token after those that the session has read; not yet an element of `tokens`. */
  #sampled: number;
  /** How many tokens of the hint are what this engine computes: the answer starts with them. */
  readonly agreed: number;

  private constructor(
    engine: Engine,
    options: GenerationOptions,
    state: { session: Session; tokens: number[]; sampled: number; agreed: number },
  ) {
    this.#engine = engine;
    this.#options = options;
    this.#session = state.session;
    this.#tokens = state.tokens;
    this.#sampled = state.sampled;
    this.agreed = state.agreed;
  }

  /** Reads the prompt and checks the hint, both in prefill. */
  static start(engine: Engine, options: GenerationOptions): Generation {
    const hint = options.hint ?? [];
    let session = engine.open({ request: options.request });
    try {
      let [sampled] = advance(engine, session, options, { tokens: options.prompt, want: "last" });
      const { agreed, own } = compareHint(engine, session, options, hint, sampled as number);
      if (agreed < session.steps - options.prompt.length) {
        // a session cannot go back: read again what is true, and what follows each token, which the last stage compares
        session.close();
        session = engine.open({ request: options.request });
        [sampled] = advance(engine, session, options, { tokens: options.prompt, want: "last" });
        if (agreed > 0)
          sampled = advance(engine, session, options, { tokens: hint.slice(0, agreed), want: "all" }).at(-1);
      } else sampled = own;
      return new Generation(engine, options, {
        session,
        tokens: hint.slice(0, agreed),
        sampled: sampled as number,
        agreed,
      });
    } catch (error) {
      session.close();
      throw error;
    }
  }

  /** The answer so far, the agreed part of the hint included. */
  get tokens(): readonly number[] {
    return this.#tokens;
  }

  /** A stop token was sampled or the limit is reached. */
  get isComplete(): boolean {
    return isComplete(this.#tokens, this.#options);
  }

  /** The next token, or undefined when the answer is complete. */
  next(): number | undefined {
    if (this.isComplete) return undefined;
    const token = this.#sampled;
    this.#tokens.push(token);
    if (!this.isComplete) {
      const [sampled] = advance(this.#engine, this.#session, this.#options, { tokens: [token], want: "last" });
      this.#sampled = sampled as number;
    }
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
}

/** An answer that nobody reads while it is made. */
export function generateWhole(engine: Engine, options: GenerationOptions): ReturnType<Generation["finish"]> {
  using generation = Generation.start(engine, options);
  while (generation.next() !== undefined);
  return generation.finish();
}

const isComplete = (tokens: readonly number[], { model, limit }: GenerationOptions): boolean =>
  tokens.length >= limit || model.stopIds.includes(tokens.at(-1) ?? -1);

/** Reads tokens and returns what is sampled after the last of them, or after each. */
function advance(
  engine: Engine,
  session: Session,
  { model }: GenerationOptions,
  { tokens, want }: { tokens: readonly number[]; want: "last" | "all" },
): number[] {
  const { stage, fold } = answerOf(model);
  const [result] = engine.advance([
    { session, steps: tokens.length, claimed: [tokenBytes(tokens)], want: [{ stage, fold, steps: want }] },
  ]);
  return tokensOf(result?.[0] ?? new Uint8Array());
}

/** How much of a hint is true, from the token after the prompt on, and what follows the last of its tokens that were read. */
function compareHint(
  engine: Engine,
  session: Session,
  options: GenerationOptions,
  hint: readonly number[],
  first: number,
): { agreed: number; own: number } {
  // what lies behind the end of an answer is no part of it
  const stop = hint.findIndex((token) => options.model.stopIds.includes(token));
  const usable = hint.slice(0, Math.min(options.limit, stop < 0 ? hint.length : stop + 1));
  if (usable.length === 0 || usable[0] !== first) return { agreed: 0, own: first };
  // the last token of a complete answer is not read: nothing follows it
  const read = isComplete(usable, options) ? usable.slice(0, -1) : usable;
  const own = [first, ...(read.length > 0 ? advance(engine, session, options, { tokens: read, want: "all" }) : [])];
  const wrong = usable.findIndex((token, i) => token !== own[i]);
  return { agreed: wrong < 0 ? usable.length : wrong, own: own.at(-1) as number };
}
