import type { LlamaShape } from "../llama/source.ts";
import { BLOCK, roundUp } from "./floatBlocks.ts";
import type { FloatKernels } from "./floatKernels.ts";

/** Radians a position: [rotated / 2]. */
export type RopeAngles = Float64Array;

export function ropeAngles(shape: LlamaShape, factors: Float32Array | undefined): RopeAngles {
  return Float64Array.from(
    { length: shape.rotated / 2 },
    (_, j) => shape.ropeBase ** ((-2 * j) / shape.rotated) / (factors?.[j] ?? 1),
  );
}

/** Turns adjacent channels of every head of [positions, channels], in place. */
export function rotate(values: Float32Array, channels: number, shape: LlamaShape, angles: RopeAngles): void {
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

/** Addresses of [rows, channels] blocks, T of whose rows are positions; `scores` and `transposed` are scratch. */
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

/** Causal attention of one sequence. */
export function attend(
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
