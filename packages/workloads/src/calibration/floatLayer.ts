import type { LlamaShape, LlamaSource } from "../llama/source.ts";
import { attend, type RopeAngles, rotate } from "./floatAttention.ts";
import { BLOCK, type Placed, place, roundUp } from "./floatBlocks.ts";
import type { FloatKernels } from "./floatKernels.ts";

/** `residual` is the stream after the layer; the norms' outputs have their gains in them; `headIn` belongs to the last layer. */
export type ActivationName =
  | "attentionIn"
  | "query" // after rope
  | "key" // after rope
  | "value"
  | "ffnIn"
  | "gate"
  | "up"
  | "hidden" // silu(gate) * up
  | "residual"
  | "headIn";

export type Layer<T> = {
  attentionNorm: Float32Array;
  ffnNorm: Float32Array;
  query: T;
  key: T;
  value: T;
  attentionOut: T;
  gate: T;
  up: T;
  down: T;
};

export async function readLayer(source: LlamaSource, layer: number): Promise<Layer<Float32Array>> {
  const read = (name: keyof Layer<unknown>) => source.read({ layer, name });
  return {
    attentionNorm: await read("attentionNorm"),
    ffnNorm: await read("ffnNorm"),
    query: await read("query"),
    key: await read("key"),
    value: await read("value"),
    attentionOut: await read("attentionOut"),
    gate: await read("gate"),
    up: await read("up"),
    down: await read("down"),
  };
}

export function placeLayer(kernels: FloatKernels, layer: Layer<Float32Array>): Layer<Placed> {
  const width = layer.attentionNorm.length;
  const by = (matrix: Float32Array, inner: number) => place(kernels, matrix, matrix.length / inner, inner);
  return {
    attentionNorm: layer.attentionNorm,
    ffnNorm: layer.ffnNorm,
    query: by(layer.query, width),
    key: by(layer.key, width),
    value: by(layer.value, width),
    attentionOut: by(layer.attentionOut, layer.attentionOut.length / width),
    gate: by(layer.gate, width),
    up: by(layer.up, width),
    down: by(layer.down, layer.down.length / width),
  };
}

/** One layer over one sequence; `x` [T, width] is replaced by the stream after the layer. */
export function runLayer(
  kernels: FloatKernels,
  shape: LlamaShape,
  layer: Layer<Placed>,
  x: Float32Array,
  angles: RopeAngles,
  show: (name: ActivationName, values: Float32Array) => void,
): void {
  const T = x.length / shape.width;
  const rows = roundUp(T, 4);
  const queries = shape.heads * shape.headSize;
  const keys = shape.kvHeads * shape.headSize;
  const buffer = (columns: number) => kernels.allocate(rows * columns);
  const n = buffer(Math.max(shape.width, queries));
  const delta = buffer(shape.width);
  const q = buffer(queries);
  const k = buffer(keys);
  const v = buffer(keys);
  const g = buffer(shape.ffn);
  const u = buffer(shape.ffn);
  const scores = kernels.allocate(BLOCK * rows);
  const transposed = kernels.allocate(shape.headSize * rows); // values of one head, [headSize, T]
  const of = (address: number, columns: number) => kernels.view(address, T * columns);
  const linear = (out: number, a: number, w: Placed) => {
    for (let t = 0; t < T; t += BLOCK) {
      kernels.matmul(out + t * w.rows * 4, a + t * w.inner * 4, w.address, {
        rows: roundUp(Math.min(BLOCK, T - t), 2),
        columns: w.rows,
        inner: w.inner,
        outStride: w.rows,
        aStride: w.inner,
        wStride: w.inner,
      });
    }
  };
  const addTo = (stream: Float32Array) => {
    const change = of(delta, shape.width);
    for (let i = 0; i < stream.length; i++) stream[i] = (stream[i] as number) + (change[i] as number);
  };

  rmsNorm(x, layer.attentionNorm, shape, of(n, shape.width));
  show("attentionIn", of(n, shape.width));
  linear(q, n, layer.query);
  linear(k, n, layer.key);
  linear(v, n, layer.value);
  rotate(of(q, queries), queries, shape, angles);
  rotate(of(k, keys), keys, shape, angles);
  show("query", of(q, queries));
  show("key", of(k, keys));
  show("value", of(v, keys));
  attend(kernels, shape, { T, rows, q, k, v, out: n, scores, transposed });
  linear(delta, n, layer.attentionOut);
  addTo(x);

  rmsNorm(x, layer.ffnNorm, shape, of(n, shape.width));
  show("ffnIn", of(n, shape.width));
  linear(g, n, layer.gate);
  linear(u, n, layer.up);
  show("gate", of(g, shape.ffn));
  show("up", of(u, shape.ffn));
  const gate = of(g, shape.ffn);
  const up = of(u, shape.ffn);
  for (let i = 0; i < gate.length; i++) {
    const value = gate[i] as number;
    gate[i] = (value / (1 + Math.exp(-value))) * (up[i] as number);
  }
  show("hidden", gate);
  linear(delta, g, layer.down);
  addTo(x);
  show("residual", x);
}

export function rmsNorm(x: Float32Array, gain: Float32Array, shape: LlamaShape, out: Float32Array): void {
  for (let at = 0; at < x.length; at += shape.width) {
    let sum = 0;
    for (let i = 0; i < shape.width; i++) sum += (x[at + i] as number) ** 2;
    const scale = 1 / Math.sqrt(sum / shape.width + shape.epsilon);
    for (let i = 0; i < shape.width; i++) out[at + i] = (x[at + i] as number) * scale * (gain[i] as number);
  }
}
