import { floorSqrt, greatest, least } from "../bigints.ts";
import type { Arithmetic } from "../ops.ts";
import { philox4x32 } from "./philox.ts";

const i64 = (value: bigint): bigint => BigInt.asIntN(64, value);
const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
/** Shift counts are clamped to 0..63. */
const count = (s: bigint): bigint => (s < 0n ? 0n : s > 63n ? 63n : s);
/** Half up: add half, shift right. Without a bound on `a`, so that nothing overflows. */
const roundingShift = (a: bigint, s: bigint): bigint => (s === 0n ? a : (a + (1n << (s - 1n))) >> s);

/** What each operation means, on i64 values as bigints. Total: no operand makes any of them throw. */
export const arithmetic = {
  add: (a, b) => i64(a + b),
  sub: (a, b) => i64(a - b),
  mul: (a, b) => i64(a * b),
  mulshr: (a, b, s) => i64(roundingShift(a * b, count(s))),
  shl: (a, s) => i64(a << count(s)),
  shr: (a, s) => roundingShift(a, count(s)),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  min: least,
  max: greatest,
  eq: (a, b) => (a === b ? 1n : 0n),
  lt: (a, b) => (a < b ? 1n : 0n),
  select: (condition, a, b) => (condition !== 0n ? a : b),
  udiv: (a, b) => (b === 0n ? 0n : i64(u64(a) / u64(b))),
  isqrt: (a) => floorSqrt(u64(a)),
  bitlen: (a) => BigInt(u64(a) === 0n ? 0 : u64(a).toString(2).length),
  philox: (a, b, key) => philox64(u64(a), u64(b), u64(key)),
} satisfies Record<Arithmetic, (a: bigint, b: bigint, c: bigint) => bigint>;

function philox64(a: bigint, b: bigint, key: bigint): bigint {
  const halves = (value: bigint) => [Number(value & 0xffff_ffffn), Number(value >> 32n)] as const;
  const [word0, word1] = philox4x32([...halves(a), ...halves(b)], [...halves(key)]);
  return i64((BigInt(word1) << 32n) | BigInt(word0));
}
