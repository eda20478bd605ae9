import { WorkloadError } from "../errors.ts";
import type { LlamaShape, LlamaSource } from "../llama/source.ts";
import { type FloatKernels, floatKernels } from "./floatKernels.ts";

/** What a run may be asked to show, layer by layer. Arrays are [positions, channels] of one sequence and valid during the call. */
export type FloatObserver = {
  activations?(at: { layer: number; name: ActivationName }, values: Float32Array): void;
  /** Logits of one position, in the order of positions. */
  logits?(at: { sequence: number; position: number }, logits: Float32Array): void;
  progress?(done: number, of: number): void;
};

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

const BLOCK = 64; // positions that a panel of weights serves before the next one is read

const roundUp = (n: number, multiple: number) => Math.ceil(n / multiple) * multiple;

/**
 * Runs the model in float32 over sequences of tokens, each from position 0. A layer goes over all of them before the
 * next one is read, so that memory holds one layer and the residual stream.
 * @throws `calibration.shape_unsupported`
 */
export async function runFloat(
  source: LlamaSource,
  sequences: ArrayLike<number>[],
  observer: FloatObserver,
): Promise<void> {
  const { shape } = source;
  checkShape(shape);
  const kernels = await floatKernels();
  const embedding = await source.read("embedding");
  const angles = ropeAngles(shape, shape.hasRopeFactors ? await source.read("ropeFactors") : undefined);
  const streams = sequences.map((tokens) => {
    const x = new Float32Array(tokens.length * shape.width);
    for (let t = 0; t < tokens.length; t++) {
      const token = tokens[t] as number;
      x.set(embedding.subarray(token * shape.width, (token + 1) * shape.width), t * shape.width);
    }
    return x;
  });

  for (let layer = 0; layer < shape.layers; layer++) {
    const weights = await readLayer(source, layer);
    const start = kernels.mark();
    const placed = placeLayer(kernels, weights);
    for (const x of streams) {
      const mark = kernels.mark();
      runLayer(kernels, shape, placed, x, angles, (name, values) => observer.activations?.({ layer, name }, values));
      kernels.release(mark);
    }
    kernels.release(start);
    observer.progress?.(layer + 1, shape.layers + 1);
  }

  const gain = await source.read("headNorm");
  const head = observer.logits ? (shape.isTied ? embedding : await source.read("head")) : undefined;
  const placedHead = head && place(kernels, head, shape.vocabulary, shape.width);
  for (const [sequence, x] of streams.entries()) {
    const mark = kernels.mark();
    const n = kernels.allocate(roundUp(x.length, 2 * shape.width));
    rmsNorm(x, gain, shape, kernels.view(n, x.length));
    observer.activations?.({ layer: shape.layers - 1, name: "headIn" }, kernels.view(n, x.length));
    if (placedHead !== undefined)
      runHead(kernels, shape, placedHead, n, x.length / shape.width, (position, logits) => {
        observer.logits?.({ sequence, position }, logits);
      });
    kernels.release(mark);
  }
  observer.progress?.(shape.layers + 1, shape.layers + 1);
}

/** Lengths of dot products and rows are read four floats at a time. */
function checkShape({ width, ffn, headSize }: LlamaShape): void {
  for (const [name, channels] of Object.entries({ width, ffn, headSize })) {
    if (channels % 4 === 0) continue;
    const message = `A model whose ${name} is ${channels} cannot be calibrated: it must be a multiple of 4.`;
    throw new WorkloadError("calibration.shape_unsupported", message, { name, channels });
  }
}

type Layer<T> = {
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

async function readLayer(source: LlamaSource, layer: number): Promise<Layer<Float32Array>> {
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

type Placed = { address: number; rows: number; inner: number; paddedRows: number };

/** Copies a matrix into the kernels' memory, with rows of zeros up to a multiple of 4. */
function place(kernels: FloatKernels, matrix: Float32Array, rows: number, inner: number): Placed {
  const paddedRows = roundUp(rows, 4);
  const address = kernels.allocate(paddedRows * inner);
  kernels.view(address, matrix.length).set(matrix);
  return { address, rows, inner, paddedRows };
}

function placeLayer(kernels: FloatKernels, layer: Layer<Float32Array>): Layer<Placed> {
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
function runLayer(
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

function rmsNorm(x: Float32Array, gain: Float32Array, shape: LlamaShape, out: Float32Array): void {
  for (let at = 0; at < x.length; at += shape.width) {
    let sum = 0;
    for (let i = 0; i < shape.width; i++) sum += (x[at + i] as number) ** 2;
    const scale = 1 / Math.sqrt(sum / shape.width + shape.epsilon);
    for (let i = 0; i < shape.width; i++) out[at + i] = (x[at + i] as number) * scale * (gain[i] as number);
  }
}

type RopeAngles = Float64Array; // radians a position, [rotated / 2]

function ropeAngles(shape: LlamaShape, factors: Float32Array | undefined): RopeAngles {
  return Float64Array.from(
    { length: shape.rotated / 2 },
    (_, j) => shape.ropeBase ** ((-2 * j) / shape.rotated) / (factors?.[j] ?? 1),
  );
}

function rotate(values: Float32Array, channels: number, shape: LlamaShape, angles: RopeAngles): void {
  for (let t = 0; t * channels < values.length; t++) {
    for (const [j, angle] of angles.entries()) {
      const cosine = Math.cos(t * angle);
      const sine = Math.sin(t * angle);
      for (let head = t * channels; head < (t + 1) * channels; head += shape.headSize) {
        const a = values[head + 2 * j] as number;
        const b = values[head + 2 * j + 1] as number;
        values[head + 2 * j] = a * cosine - b * sine;
        values[head + 2 * j + 1] = a * sine + b * cosine;
      }
    }
  }
}

type Attention = {
  T: number;
  rows: number;
  q: number;
  k: number;
  v: number;
  out: number;
  scores: number;
  transposed: number;
};

function attend(
  kernels: FloatKernels,
  shape: LlamaShape,
  { T, rows, q, k, v, out, scores, transposed }: Attention,
): void {
  const { heads, kvHeads, headSize } = shape;
  const queries = heads * headSize;
  const keys = kvHeads * headSize;
  for (let kvHead = 0; kvHead < kvHeads; kvHead++) {
    const values = kernels.view(v, rows * keys);
    const columns = kernels.view(transposed, headSize * rows);
    for (let c = 0; c < headSize; c++) {
      for (let t = 0; t < rows; t++)
        columns[c * rows + t] = t < T ? (values[t * keys + kvHead * headSize + c] as number) : 0;
    }
    const group = heads / kvHeads;
    for (let head = kvHead * group; head < (kvHead + 1) * group; head++) {
      for (let t = 0; t < T; t += BLOCK) {
        const block = Math.min(BLOCK, T - t);
        const seen = roundUp(t + block, 4);
        const padded = roundUp(block, 2);
        const at = (t * queries + head * headSize) * 4;
        kernels.matmul(scores, q + at, k + kvHead * headSize * 4, {
          rows: padded,
          columns: seen,
          inner: headSize,
          outStride: rows,
          aStride: queries,
          wStride: keys,
        });
        softmax(kernels.view(scores, BLOCK * rows), { block, rows, seen, t, scale: 1 / Math.sqrt(headSize) });
        kernels.matmul(out + at, scores, transposed, {
          rows: padded,
          columns: headSize,
          inner: seen,
          outStride: queries,
          aStride: rows,
          wStride: rows,
        });
      }
    }
  }
}

/** In place, causal: row i sees columns 0..t + i, the others become 0. */
function softmax(
  scores: Float32Array,
  { block, rows, seen, t, scale }: { block: number; rows: number; seen: number; t: number; scale: number },
): void {
  for (let i = 0; i < block; i++) {
    const row = scores.subarray(i * rows, i * rows + seen);
    let largest = Number.NEGATIVE_INFINITY;
    for (let j = 0; j <= t + i; j++) largest = Math.max(largest, row[j] as number);
    let sum = 0;
    for (let j = 0; j <= t + i; j++) {
      const e = Math.exp(((row[j] as number) - largest) * scale);
      row[j] = e;
      sum += e;
    }
    for (let j = 0; j <= t + i; j++) row[j] = (row[j] as number) / sum;
    row.fill(0, t + i + 1);
  }
}

function runHead(
  kernels: FloatKernels,
  shape: LlamaShape,
  head: Placed,
  n: number,
  T: number,
  show: (position: number, logits: Float32Array) => void,
): void {
  const mark = kernels.mark();
  const logits = kernels.allocate(BLOCK * head.paddedRows);
  for (let t = 0; t < T; t += BLOCK) {
    const block = Math.min(BLOCK, T - t);
    kernels.matmul(logits, n + t * head.inner * 4, head.address, {
      rows: roundUp(block, 2),
      columns: head.paddedRows,
      inner: head.inner,
      outStride: head.paddedRows,
      aStride: head.inner,
      wStride: head.inner,
    });
    for (let i = 0; i < block; i++) {
      show(t + i, kernels.view(logits + i * head.paddedRows * 4, shape.vocabulary));
    }
  }
  kernels.release(mark);
}
