import { fractionBits, SMALLEST_ACTIVATION, SMALLEST_GAIN } from "./binaryPoints.ts";
import { largestMagnitude, powerOfTwo, roundHalfUp } from "./quantise.ts";
import type { LlamaShape } from "./source.ts";

export type SmoothedNorm = {
  scaled: Int16Array;
  bits: number;
  /** What column i of a consumer is multiplied by: gain / (scaled gain). */
  columns: Float64Array;
  /** Real value of one step of the norm's output. */
  unit: number;
};

/** Spreads a norm's outliers between activations and the consumers' columns (Xiao et al. 2022, arXiv:2211.10438). */
export function smoothNorm({
  shape,
  gains,
  maxima,
  consumers,
}: {
  shape: LlamaShape;
  gains: Float32Array;
  maxima: Float32Array;
  consumers: Float32Array[];
}): SmoothedNorm {
  const { width } = shape;
  const columnMaxima = new Float64Array(width).fill(SMALLEST_ACTIVATION);
  for (const matrix of consumers) foldColumnMaxima(columnMaxima, matrix);
  const smoothed = Float64Array.from(gains, (gain, i) => {
    const activation = Math.max(maxima[i] as number, SMALLEST_ACTIVATION);
    const magnitude = Math.max(Math.abs(gain), SMALLEST_GAIN);
    return (magnitude * Math.sqrt(columnMaxima[i] as number)) / Math.sqrt(activation);
  });
  const largest = largestMagnitude(smoothed);
  const scaled = Int16Array.from(smoothed, (gain) => Math.max(1, roundHalfUp((32_767 * gain) / largest)));
  const bits = normScale({ shape, maxima, gains, scaled });
  return {
    scaled,
    bits,
    columns: Float64Array.from(gains, (gain, i) => (gain * 32_768) / (scaled[i] as number)),
    unit: normUnit(shape, bits),
  };
}

/** Fraction bits of a norm's output: twice what calibration saw still fits. */
export function normScale({
  shape,
  maxima,
  gains,
  scaled,
}: {
  shape: LlamaShape;
  maxima: Float32Array;
  gains: Float32Array;
  scaled: Int16Array;
}): number {
  const root = Math.sqrt(shape.width);
  let largest = SMALLEST_ACTIVATION;
  for (let i = 0; i < shape.width; i++) {
    const normalised = (maxima[i] as number) / Math.max(Math.abs(gains[i] as number), SMALLEST_GAIN);
    const scaledGain = Math.abs(scaled[i] as number) / 32_768;
    largest = Math.max(largest, (Math.min(normalised, root) * scaledGain) / root); // |normalised| <= sqrt(width)
  }
  return fractionBits(2 * largest, 32_639);
}

/** Real value of one step of a norm's output with `bits` fraction bits. */
export const normUnit = (shape: LlamaShape, bits: number) => Math.sqrt(shape.width) / powerOfTwo(bits);

/** Moves outliers of the hidden channels into the columns of `down`: at most 1, for each channel. */
export function smoothDown(down: Float32Array, hidden: Float32Array, width: number, ffn: number): Float64Array {
  const columnMaxima = new Float64Array(ffn).fill(SMALLEST_ACTIVATION);
  if (down.length !== width * ffn) throw new RangeError(`down has ${down.length} weights`);
  foldColumnMaxima(columnMaxima, down);
  const smoothing = Float64Array.from(columnMaxima, (largest, j) => {
    return Math.sqrt(Math.max(hidden[j] as number, SMALLEST_ACTIVATION)) / Math.sqrt(largest);
  });
  const largest = largestMagnitude(smoothing);
  return smoothing.map((value) => value / largest);
}

function foldColumnMaxima(columnMaxima: Float64Array, matrix: Float32Array): void {
  const columns = columnMaxima.length;
  for (let row = 0; row < matrix.length; row += columns) {
    for (let i = 0; i < columns; i++) {
      const magnitude = Math.abs(matrix[row + i] as number);
      if (magnitude > (columnMaxima[i] as number)) columnMaxima[i] = magnitude;
    }
  }
}
