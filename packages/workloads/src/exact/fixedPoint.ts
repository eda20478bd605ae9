/**
 * Elementary functions in fixed point, by series over BigInt. A library's `exp` may differ in its last bit between two
 * machines; these cannot, so that whatever is rounded from them has the same bits everywhere.
 * A `Fixed` is a number times 2^128; every function is good to at least 2^-112 of its result's scale.
 */
export type Fixed = bigint;

const BITS = 128n;
export const ONE: Fixed = 1n << BITS;

/** a / b, rounded down. */
export const ratio = (numerator: bigint, denominator: bigint): Fixed => (numerator << BITS) / denominator;
export const multiply = (a: Fixed, b: Fixed): Fixed => (a * b) >> BITS;
export const divide = (a: Fixed, b: Fixed): Fixed => (a << BITS) / b;

/** floor(a * factor + 1/2). */
export const round = (a: Fixed, factor: bigint | number): bigint => (a * BigInt(factor) + (ONE >> 1n)) >> BITS;

/** The exact value of a double, as long as it has no bits below 2^-128. */
export function fromNumber(value: number): Fixed {
  const bits = new DataView(new ArrayBuffer(8));
  bits.setFloat64(0, value);
  const high = bits.getUint32(0);
  const exponent = (high >>> 20) & 0x7ff;
  if (exponent === 0x7ff) throw new RangeError(`${value} has no fixed-point value`);
  const fraction = (BigInt(high & 0xfffff) << 32n) | BigInt(bits.getUint32(4));
  const mantissa = exponent === 0 ? fraction : fraction | (1n << 52n);
  const shift = BITS + BigInt(exponent === 0 ? -1074 : exponent - 1075);
  const magnitude = shift >= 0n ? mantissa << shift : mantissa >> -shift;
  return value < 0 ? -magnitude : magnitude;
}

/** 2 artanh(1 / n) = ln((n + 1) / (n - 1)). */
function lnRatio(n: bigint): Fixed {
  let power = ONE / n;
  let sum = 0n;
  for (let i = 1n; power !== 0n; i += 2n) {
    sum += power / i;
    power /= n * n;
  }
  return 2n * sum;
}

/** arctan(1 / n). */
function arctanOfInverse(n: bigint): Fixed {
  let power = ONE / n;
  let sum = 0n;
  for (let i = 1n; power !== 0n; i += 2n) {
    sum += i % 4n === 1n ? power / i : -(power / i);
    power /= n * n;
  }
  return sum;
}

export const LN2: Fixed = lnRatio(3n);
/** Machin, 1706. */
export const PI: Fixed = 4n * (4n * arctanOfInverse(5n) - arctanOfInverse(239n));

/** e^x. */
export function exponential(x: Fixed): Fixed {
  const doublings = x / LN2 - (x % LN2 < 0n ? 1n : 0n);
  const rest = x - doublings * LN2; // 0 <= rest < ln 2
  let term = ONE;
  let sum = 0n;
  for (let i = 1n; term !== 0n; i++) {
    sum += term;
    term = multiply(term, rest) / i;
  }
  return doublings >= 0n ? sum << doublings : sum >> -doublings;
}

/** ln x for x > 0. */
export function logarithm(x: Fixed): Fixed {
  if (x <= 0n) throw new RangeError("the logarithm needs a number above 0");
  let mantissa = x;
  let exponent = 0n;
  for (; mantissa >= 2n * ONE; exponent++) mantissa >>= 1n;
  for (; mantissa < ONE; exponent--) mantissa <<= 1n;
  // A mantissa near 1 makes the series short: square roots would do, a division by 3/2 is enough.
  const above = 2n * mantissa > 3n * ONE;
  const z = above ? (2n * mantissa) / 3n : mantissa; // 2/3 .. 3/2
  const step = divide(z - ONE, z + ONE); // |step| <= 1/5
  const square = multiply(step, step);
  let power = step;
  let sum = 0n;
  for (let i = 1n; power / i !== 0n && power !== -1n; i += 2n) {
    sum += power / i;
    power = multiply(power, square);
  }
  return 2n * sum + exponent * LN2 + (above ? LN_3_2 : 0n);
}
const LN_3_2: Fixed = lnRatio(5n);

/** Sine and cosine of an angle in radians. */
export function sineCosine(angle: Fixed): { sine: Fixed; cosine: Fixed } {
  const turn = 2n * PI;
  const rest = ((angle % turn) + turn) % turn;
  const x = rest > PI ? rest - turn : rest;
  let term = ONE;
  let sine = 0n;
  let cosine = 0n;
  for (let i = 1n; term !== 0n && term !== -1n; i++) {
    const sign = (i - 1n) % 4n < 2n ? 1n : -1n;
    if (i % 2n === 1n) cosine += sign * term;
    else sine += sign * term;
    term = multiply(term, x) / i;
  }
  return { sine, cosine };
}
