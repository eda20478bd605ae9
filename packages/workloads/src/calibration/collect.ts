import type { LayerMaxima, LlamaMaxima } from "../llama/maxima.ts";
import type { LlamaShape, LlamaSource } from "../llama/source.ts";
import type { ActivationName } from "./floatLayer.ts";
import { runFloat } from "./floatModel.ts";

/** Runs the float model over sequences of tokens and keeps the largest magnitude of every channel. */
export async function collectMaxima(
  source: LlamaSource,
  sequences: ArrayLike<number>[],
  { progress }: { progress?: (done: number, of: number) => void } = {},
): Promise<LlamaMaxima> {
  const maxima = noMaxima(source.shape);
  for (const sequence of sequences) maxima.tokens += sequence.length;
  await runFloat(source, sequences, {
    ...(progress && { progress }),
    activations({ layer, name }, values) {
      const into = maxima.layers[layer] as LayerMaxima;
      record(maxima, into, name, values);
    },
  });
  return maxima;
}

function record(maxima: LlamaMaxima, layer: LayerMaxima, name: ActivationName, values: Float32Array): void {
  switch (name) {
    case "gate":
      layer.gate = Math.max(layer.gate, largest(values));
      break;
    case "residual":
      maxima.residual = Math.max(maxima.residual, largest(values));
      break;
    case "headIn":
      raise(maxima.headIn, values);
      break;
    default:
      raise(layer[name], values);
  }
}

/** Raises each channel's maximum to what `values` [positions, channels] reaches. */
function raise(maxima: Float32Array, values: Float32Array): void {
  for (let at = 0; at < values.length; at += maxima.length) {
    for (let c = 0; c < maxima.length; c++) {
      const magnitude = Math.abs(values[at + c] as number);
      if (magnitude > (maxima[c] as number)) maxima[c] = magnitude;
    }
  }
}

const largest = (values: Float32Array): number => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

function noMaxima({ layers, width, ffn, heads, kvHeads, headSize }: LlamaShape): LlamaMaxima {
  return {
    tokens: 0,
    residual: 0,
    headIn: new Float32Array(width),
    layers: Array.from({ length: layers }, () => ({
      attentionIn: new Float32Array(width),
      query: new Float32Array(heads * headSize),
      key: new Float32Array(kvHeads * headSize),
      value: new Float32Array(kvHeads * headSize),
      ffnIn: new Float32Array(width),
      up: new Float32Array(ffn),
      hidden: new Float32Array(ffn),
      gate: 0,
    })),
  };
}
