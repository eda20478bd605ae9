import { WorkloadError } from "../errors.ts";
import type { LlamaShape, LlamaSource } from "../llama/source.ts";
import { ropeAngles } from "./floatAttention.ts";
import { BLOCK, type Placed, place, roundUp } from "./floatBlocks.ts";
import { type FloatKernels, floatKernels } from "./floatKernels.ts";
import { type ActivationName, placeLayer, readLayer, rmsNorm, runLayer } from "./floatLayer.ts";

/** What a run may be asked to show, layer by layer. Arrays are [positions, channels] of one sequence and valid during the call. */
export type FloatObserver = {
  activations?(at: { layer: number; name: ActivationName }, values: Float32Array): void;
  /** Logits of one position, in the order of positions. */
  logits?(at: { sequence: number; position: number }, logits: Float32Array): void;
  progress?(done: number, of: number): void;
};

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
