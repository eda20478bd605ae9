import { WorkloadError } from "../errors.ts";

/** 2^n exactly, by doubling and halving. */
export function powerOfTwo(n: number): number {
  let power = 1;
  for (let i = 0; i < Math.abs(n); i++) power *= n < 0 ? 0.5 : 2;
  return power;
}

/** floor(log2 x) for x > 0, by comparison: no logarithm, whose last bit may differ between machines. */
export function floorLog2(x: number): number {
  if (!(x > 0) || x === Number.POSITIVE_INFINITY) throw new RangeError(`floor(log2) of ${x} does not exist`);
  let n = 0;
  let rest = x;
  for (; rest >= 2; n++) rest *= 0.5;
  for (; rest < 1; n--) rest *= 2;
  return n;
}

export const roundHalfUp = (x: number): number => Math.floor(x + 0.5);
export const clamp = (x: number, bound: number): number => Math.max(-bound, Math.min(x, bound));

export function largestMagnitude(values: ArrayLike<number>): number {
  let largest = 0;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i] as number));
  return largest;
}

export type QuantisedLinear = { matrix: Int8Array; scale: Int16Array; shift: number };

/**
 * A matrix as i8 with one multiplier for each output and one shift for all:
 * out[j] = (sum over i of in[i] * matrix[j, i]) * scale[j] / 2^shift.
 * The matrix is rounded to the scale that the rounded multiplier stands for, so that rounding the multiplier costs nothing.
 *
 * @param weights - [outputs, inputs], real; column i is multiplied by `columns[i]`
 * @param unit - what output j is worth: (real value of one input step) * (output steps in one real unit)
 * @throws `llama.out_of_range` where no shift of 1 to 62 does it
 */
export function quantiseLinear(
  weights: Float32Array,
  { name, columns, unit }: { name: string; columns: Float64Array; unit: (output: number) => number },
): QuantisedLinear {
  const inputs = columns.length;
  const outputs = weights.length / inputs;
  const steps = new Float64Array(outputs); // M: output steps for one step of the product
  for (let j = 0; j < outputs; j++) {
    let largest = SMALLEST_WEIGHT;
    for (let i = 0; i < inputs; i++) {
      const magnitude = Math.abs((weights[j * inputs + i] as number) * (columns[i] as number));
      if (magnitude > largest) largest = magnitude;
    }
    steps[j] = (largest / 127) * unit(j);
  }
  const shift = multiplierShift(name, steps);
  const matrix = new Int8Array(weights.length);
  const scale = new Int16Array(outputs);
  const power = powerOfTwo(shift);
  for (let j = 0; j < outputs; j++) {
    const multiplier = Math.min(32_767, Math.ceil((steps[j] as number) * power));
    scale[j] = multiplier;
    const inverse = (power * unit(j)) / multiplier; // i8 steps in one real unit of weight
    for (let i = 0; i < inputs; i++) {
      const weight = (weights[j * inputs + i] as number) * (columns[i] as number) * inverse;
      matrix[j * inputs + i] = clamp(roundHalfUp(weight), 127);
    }
  }
  return { matrix, scale, shift };
}

/** The largest shift under which every multiplier still fits 15 bits. */
export function multiplierShift(name: string, steps: ArrayLike<number>): number {
  const largest = largestMagnitude(steps);
  const shift = floorLog2(32_767 / largest);
  if (shift < 1 || shift > 62) {
    throw new WorkloadError("llama.out_of_range", `${name} needs a shift of ${shift}; the arithmetic has 1 to 62.`, {
      name,
      shift,
    });
  }
  return shift;
}

/** A row of zeros still needs a step. */
const SMALLEST_WEIGHT = 1e-9;
