import type { Engine, OpenEngine } from "@foldmark/machine";
import { collectMaxima } from "../../src/calibration/collect.ts";
import { llamaFamily } from "../../src/families/llama.ts";
import type { LlamaConfiguration } from "../../src/llama/configuration.ts";
import { convertLlama } from "../../src/llama/convert.ts";
import type { LlamaMaxima } from "../../src/llama/maxima.ts";
import { llamaRequest, type Sampling } from "../../src/llama/request.ts";
import type { LlamaShape, LlamaSource, LlamaTensor } from "../../src/llama/source.ts";
import type { BuiltModel } from "../../src/packages/family.ts";

export const tinyShape: LlamaShape = {
  layers: 2,
  width: 32,
  ffn: 64,
  heads: 4,
  kvHeads: 2,
  headSize: 8,
  vocabulary: 64,
  context: 64,
  rotated: 8,
  ropeBase: 10_000,
  epsilon: 1e-5,
  isTied: true,
  hasRopeFactors: false,
};

/** A Llama of random weights: the same numbers for the same seed. `sharpness` scales the logits. */
export function randomLlama(change: Partial<LlamaShape> = {}, { seed = 1, sharpness = 1 } = {}): LlamaSource {
  const shape = { ...tinyShape, ...change };
  const queries = shape.heads * shape.headSize;
  const keys = shape.kvHeads * shape.headSize;
  const sizes: Record<string, [number, number]> = {
    embedding: [shape.vocabulary, shape.width],
    head: [shape.vocabulary, shape.width],
    query: [queries, shape.width],
    key: [keys, shape.width],
    value: [keys, shape.width],
    attentionOut: [shape.width, queries],
    gate: [shape.ffn, shape.width],
    up: [shape.ffn, shape.width],
    down: [shape.width, shape.ffn],
  };
  return {
    shape,
    async read(tensor: LlamaTensor) {
      const name = typeof tensor === "string" ? tensor : tensor.name;
      const layer = typeof tensor === "string" ? 99 : tensor.layer;
      const random = generator(
        seed * 7_919 + layer * 131 + [...name].reduce((sum, c) => sum * 31 + c.charCodeAt(0), 7),
      );
      if (name === "headNorm") return Float32Array.from({ length: shape.width }, () => sharpness * (0.5 + random()));
      if (name.endsWith("Norm")) return Float32Array.from({ length: shape.width }, () => 0.5 + random());
      const [rows, columns] = sizes[name] as [number, number];
      const scale = 2 / Math.sqrt(columns);
      return Float32Array.from({ length: rows * columns }, () => (random() + random() + random() - 1.5) * scale);
    },
  };
}

/** Numbers in [0, 1): a linear congruential generator. */
export function generator(seed: number): () => number {
  let state = (seed >>> 0) + 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) / 2 ** 24;
  };
}

export type Converted = {
  configuration: LlamaConfiguration;
  constants: Uint8Array[];
  maxima: LlamaMaxima;
  model: BuiltModel;
  open(engine: OpenEngine): Promise<Engine>;
};

export async function converted(source: LlamaSource, { maxT = 32, stopIds = [2, 0] } = {}): Promise<Converted> {
  const random = generator(5);
  const sequences = Array.from({ length: 3 }, () =>
    Array.from({ length: 24 }, () => Math.floor(random() * source.shape.vocabulary)),
  );
  const maxima = await collectMaxima(source, sequences);
  const constants: Uint8Array[] = [];
  const configuration = await convertLlama(source, maxima, {
    maxT,
    stopIds,
    write: ({ index, bytes }) => {
      constants[index] = bytes;
    },
  });
  const model = llamaFamily.build(configuration);
  return {
    configuration,
    constants,
    maxima,
    model,
    open: (engine) => engine(model.program, (index) => constants[index] as Uint8Array),
  };
}

export const greedy: Sampling = { temperature: 0, minP: 0, seed: 1n };

/** An order to a converted model, with what a server has to know of it. */
export function anOrder(
  { configuration, model }: Converted,
  order: { prompt: number[]; limit: number } & Partial<Sampling>,
) {
  const request = llamaRequest({ ...greedy, ...order }, configuration);
  return { model, request, prompt: order.prompt, limit: order.limit };
}
