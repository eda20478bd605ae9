import { exponential, type Fixed, LN2, multiply, ONE, PI, round } from "../exact/fixedPoint.ts";
import { NOISE_ENTRIES, noiseQuantile } from "../exact/noise.ts";

/** 2^(i / 256) for i = 0..256, Q30: i32[1, 257]; the last entry saturates, 2^31 - 1. */
export function powersOfTwoTable(): Int32Array {
  return Int32Array.from({ length: 257 }, (_, i) => {
    const power = Number(round(exponential((LN2 * BigInt(i)) / 256n), 1 << 30));
    return Math.min(power, 2 ** 31 - 1);
  });
}

/** Quantiles of the standard normal distribution below its median, at the places of `noiseQuantile`, Q20: i32[1, 2049]. */
export function normalTable(): Int32Array {
  const table = new Int32Array(NOISE_ENTRIES);
  // From the median outwards each entry is close to its neighbour, so Newton's method is there in a few steps.
  let z = 0n;
  for (let i = NOISE_ENTRIES - 1; i >= 0; i--) {
    z = quantile(noiseQuantile(i), z);
    table[i] = Number(round(z, 1 << 20));
  }
  return table;
}

function quantile(q: Fixed, near: Fixed): Fixed {
  let z = near;
  for (;;) {
    const { below, density } = normal(z);
    const step = ((below - q) << 128n) / density;
    z -= step;
    if (step < CLOSE && step > -CLOSE) return z;
  }
}
const CLOSE = ONE >> 40n; // the next step would be its square

/** Probability below z <= 0 and density at z, by phi(z) * (z + z^3/3 + z^5/15 + ...). */
function normal(z: Fixed): { below: Fixed; density: Fixed } {
  const square = multiply(z, z);
  const density = multiply(exponential(-square / 2n), ROOT);
  let term = -z;
  let sum = 0n;
  for (let n = 1n; term !== 0n; n += 2n) {
    sum += term;
    term = multiply(term, square) / (n + 2n);
  }
  return { below: ONE / 2n - multiply(density, sum), density };
}
/** 1 / sqrt(2 pi). */
const ROOT: Fixed = squareRoot((ONE * ONE * ONE) / (2n * PI));

function squareRoot(square: bigint): bigint {
  let root = 1n << BigInt(Math.ceil(square.toString(2).length / 2));
  for (;;) {
    const next = (root + square / root) / 2n;
    if (next >= root) return root;
    root = next;
  }
}
