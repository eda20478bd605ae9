import { installLlamaCpp } from "./install.ts";

// What of node-llama-cpp is used here, in its own words; it is no dependency, so its types are not there.

export type Addon = {
  initBatch(size: number): void;
  addToBatch(sequence: number, position: number, tokens: Uint32Array, logitsAt: Uint32Array): Uint32Array;
  decodeBatch(): Promise<void>;
  sampleToken(logits: number | undefined, sampler: Sampler): Promise<number>;
  removeTokenCellsFromSequence(sequence: number, from: number, to: number): boolean;
};
export type Sampler = { applyConfig(config: { temperature: number }): void };
export type Sequence = {
  /** Goes on until the model ends its turn. */
  evaluate(tokens: number[], options: { temperature: number }): AsyncGenerator<number, void>;
  dispose(): Promise<void>;
};
export type ContextOptions = {
  sequences?: number;
  /** Positions of each sequence. */
  contextSize: number;
  batchSize: number;
  threads: number;
  flashAttention: boolean;
};
export type Context = { _ctx: Addon; getSequence(): Sequence };
export type Model = {
  _model: unknown;
  tokenize(text: string, specialTokens: boolean): number[];
  detokenize(tokens: number[]): string;
  createContext(options: ContextOptions): Promise<Context>;
};
export type Llama = {
  _bindings: { AddonSampler: new (model: unknown) => Sampler };
  loadModel(options: { modelPath: string; gpuLayers: number }): Promise<Model>;
  dispose(): Promise<void>;
};

/** llama.cpp on one thread of the CPU, with a model. */
export async function openLlama(
  modelPath: string,
  { cacheDir }: { cacheDir: string },
): Promise<{ llama: Llama; model: Model }> {
  const { getLlama }: { getLlama(options: Record<string, unknown>): Promise<Llama> } = await import(
    (await installLlamaCpp(cacheDir)).href
  );
  const llama = await getLlama({ gpu: false, build: "never", maxThreads: 1, logLevel: "error" });
  return { llama, model: await llama.loadModel({ modelPath, gpuLayers: 0 }) };
}
