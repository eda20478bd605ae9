import {
  add,
  and,
  bitlen,
  type Expr,
  floorShr,
  lt,
  mul,
  philox,
  select,
  shl,
  shr,
  sub,
  type TensorHandle,
} from "@foldmark/machine";
import { type Fixed, ratio } from "./fixedPoint.ts";

/** Entries of a table over the quantiles below 1/2: 64 for each power of two from 2^-33 to 2^-1, both ends included. */
export const NOISE_ENTRIES = 2_049;

/** q of entry i: 2^floor(i/64) * (1 + (i mod 64)/64) / 2^33. */
export const noiseQuantile = (i: number): Fixed =>
  ratio(BigInt(64 + (i % 64)) << BigInt(Math.floor(i / 64)), 1n << 39n);

/** A uniform number as its place in such a table: entry + rest / 2^26, counted from the end that `isLower` names. */
export type NoisePlace = { isLower: Expr; entry: Expr; rest: Expr };

/**
 * The random number of (t, k): 32 bits of Philox, centred in their 2^-32 wide interval, so that neither 0 nor 1 occurs.
 * Measured from the nearer end of (0, 1) it is an odd multiple of 2^-33, which keeps both tails as fine as a float would.
 */
export function noisePlace(t: Expr, k: Expr, seed: Expr): NoisePlace {
  const words = philox(t, floorShr(k, 1), seed);
  const word = and(select(and(k, 1), floorShr(words, 32), words), 2 ** 32 - 1);
  const isLower = lt(word, 2 ** 31);
  const distance = add(mul(select(isLower, word, sub(2 ** 32 - 1, word)), 2), 1);
  const bits = bitlen(distance);
  const mantissa = shl(distance, sub(33, bits)); // 2^32 .. 2^33 - 1
  const rest = and(mantissa, 2 ** 26 - 1);
  const entry = sub(add(mul(sub(bits, 1), 64), shr(sub(mantissa, rest), 26)), 64);
  return { isLower, entry, rest };
}

/** The value at a place of a row of a table, between its two entries. */
export function interpolated(
  table: TensorHandle,
  row: Expr | number,
  { entry, rest }: Omit<NoisePlace, "isLower">,
): Expr {
  const here = table.at(row, entry);
  const slope = sub(table.at(row, add(entry, 1)), here);
  return add(here, shr(mul(slope, rest), 26));
}
