import { floorLog2 } from "./quantise.ts";

/** mulshr(x * gain, 2^44 / N, 59 - k) leaves k fraction bits of x / N * gain / 2^15. */
export const NORM_SHIFT = 59;
/** What a gain or an activation of 0 counts as, so that nothing is divided by 0. */
export const SMALLEST_GAIN = 1e-9;
export const SMALLEST_ACTIVATION = 1e-6;

/** The most fraction bits with which `largest` still fits `bound`. */
export const fractionBits = (largest: number, bound: number) =>
  floorLog2(bound / Math.max(largest, SMALLEST_ACTIVATION));
