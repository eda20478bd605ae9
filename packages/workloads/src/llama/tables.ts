import {
  divide,
  exponential,
  type Fixed,
  fromNumber,
  LN2,
  logarithm,
  multiply,
  ONE,
  round,
  sineCosine,
} from "../exact/fixedPoint.ts";
import { NOISE_ENTRIES, noiseQuantile } from "../exact/noise.ts";

/** exp2(-i / 64) for i = 0..64, times 16,256 (two limbs of 7 bits hold it): i16[1, 65]. */
export function exp2Table(): Int16Array {
  return Int16Array.from({ length: 65 }, (_, i) => Number(round(exponential((-LN2 * BigInt(i)) / 64n), 16_256)));
}

/**
 * A right shift by a as a product: mulshr(2e, table[a], 15) = (e + ((1 << a) >> 1)) >> a for 0 <= e <= 16,256, because
 * 2^(14 - a) / 2^15 is half of 2^-a, and past a = 14 every such e has become 0. i16[1, 25].
 */
export function shiftTable(): Int16Array {
  return Int16Array.from({ length: 25 }, (_, a) => (a <= 14 ? 1 << (14 - a) : 0));
}

/** The logistic function at -16 + i / 16 for i = 0..512, times 32,768: i32[1, 513]. */
export function sigmoidTable(): Int32Array {
  return Int32Array.from({ length: 513 }, (_, i) => {
    const e = exponential((ONE * BigInt(256 - i)) / 16n); // e^-x
    return Number(round(divide(ONE, ONE + e), 32_768));
  });
}

/** Gumbel noise -ln(-ln q), times 65,536. Row 1 takes q from below, row 0 takes 1 - q: i32[2, 2049]. */
export function gumbelTable(): Int32Array {
  const noise = (q: Fixed) => Number(round(-logarithm(-logarithm(q)), 65_536));
  const entries = Array.from({ length: NOISE_ENTRIES }, (_, i) => noiseQuantile(i));
  return Int32Array.from([...entries.map((q) => noise(ONE - q)), ...entries.map(noise)]);
}

export type RopeTables = { cosine: Int16Array; sine: Int16Array };

/**
 * Rotary embedding of adjacent pairs (2j, 2j + 1) by t * base^(-2j / rotated) / factor[j], times 2^14: two i16[maxT, headSize].
 * A rotation is then x[c] * cosine[t, c] + x[c ^ 1] * sine[t, c], because the sine of an even channel is stored negative.
 * Channels from `rotated` on are left as they are.
 */
export function ropeTables(options: {
  maxT: number;
  headSize: number;
  rotated: number;
  base: number;
  factors?: ArrayLike<number> | undefined;
}): RopeTables {
  const { maxT, headSize, rotated, base, factors } = options;
  const cosine = new Int16Array(maxT * headSize).fill(1 << 14);
  const sine = new Int16Array(maxT * headSize);
  const lnBase = logarithm(fromNumber(base));
  for (let j = 0; j < rotated / 2; j++) {
    const angle = exponential((-2n * BigInt(j) * lnBase) / BigInt(rotated));
    const step = sineCosine(divide(angle, fromNumber(factors?.[j] ?? 1)));
    let at = { sine: 0n, cosine: ONE };
    for (let t = 0; t < maxT; t++) {
      const even = t * headSize + 2 * j;
      cosine[even] = cosine[even + 1] = Number(round(at.cosine, 1 << 14));
      sine[even + 1] = Number(round(at.sine, 1 << 14));
      sine[even] = -Number(round(at.sine, 1 << 14));
      at = {
        sine: multiply(at.sine, step.cosine) + multiply(at.cosine, step.sine),
        cosine: multiply(at.cosine, step.cosine) - multiply(at.sine, step.sine),
      };
    }
  }
  return { cosine, sine };
}
