import { type Context, type Llama, type Model, openLlama, type Sampler } from "./api.ts";

/** Positions of a context, and the most tokens of one call: llama.cpp's own default for a batch. */
const CONTEXT = 1_280;
const BATCH = 512;

/** llama.cpp with one model on one thread, without anything of node-llama-cpp's between a call and the library. */
export class LlamaCpp implements AsyncDisposable {
  readonly #llama: Llama;
  readonly #model: Model;

  private constructor(llama: Llama, model: Model) {
    this.#llama = llama;
    this.#model = model;
  }

  static async open(modelPath: string, options: { cacheDir: string }): Promise<LlamaCpp> {
    const { llama, model } = await openLlama(modelPath, options);
    return new LlamaCpp(llama, model);
  }

  async context({ flashAttention }: { flashAttention: boolean }): Promise<LlamaContext> {
    const options = { contextSize: CONTEXT, batchSize: BATCH, threads: 1, flashAttention };
    const context = await this.#model.createContext(options);
    const sampler = new this.#llama._bindings.AddonSampler(this.#model._model);
    sampler.applyConfig({ temperature: 0 });
    return new LlamaContext(context, sampler);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#llama.dispose();
  }
}

/** One sequence. */
export class LlamaContext {
  /** Kept, because a context that nobody holds any more is freed under its addon. */
  readonly #context: Context;
  readonly #sampler: Sampler;
  #length = 0;

  constructor(context: Context, sampler: Sampler) {
    this.#context = context;
    this.#sampler = sampler;
  }

  /** Reads tokens; gives the most likely one to follow. */
  async read(tokens: readonly number[]): Promise<number> {
    let logits: number | undefined;
    for (let at = 0; at < tokens.length; at += BATCH) {
      const part = tokens.slice(at, at + BATCH);
      const isLast = at + BATCH >= tokens.length;
      this.#context._ctx.initBatch(part.length);
      [logits] = this.#context._ctx.addToBatch(
        0,
        this.#length,
        Uint32Array.from(part),
        Uint32Array.from(isLast ? [part.length - 1] : []),
      );
      await this.#context._ctx.decodeBatch();
      this.#length += part.length;
    }
    return this.#context._ctx.sampleToken(logits, this.#sampler);
  }

  /** Forgets everything from a position on. */
  cut(length: number): void {
    if (!this.#context._ctx.removeTokenCellsFromSequence(0, length, -1)) throw new Error("llama.cpp kept what was cut");
    this.#length = length;
  }
}
