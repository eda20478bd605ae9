import { i32, i64, i64x2, local, v128 } from "../asm.ts";
import type { Node } from "../graph.ts";
import { I64, magnitude } from "../ranges.ts";
import type { VectorLoop } from "../vectorForm.ts";
import type { LaneValues } from "./lanes.ts";
import { pushHalf, setShifted } from "./shifts.ts";

/** A factor as low + 2^bits * high, with 0 <= low < 2^bits, so that either product with `value` fits 64 bits. */
type Limbs = { value: Node; factor: Node; bits: number; count: Node };

/** What makes a sum of the low product and half of 2^shift not negative, so that it can be shifted as unsigned. */
const BIAS = 1n << 62n;

/**
 * How a `mulshr` whose product needs more than 64 bits is computed in 64-bit lanes:
 * (v * high + (v * low + half) / 2^bits) / 2^(shift - bits), both divisions rounding down, is exact. Undefined where it
 * does not fit, or where the count may be 0 or changes in the loop.
 */
export function limbsOf(node: Node, { level }: VectorLoop): Limbs | undefined {
  const [a, b, count] = node.args as [Node, Node, Node];
  if (count.level >= level || count.range.lo < 1n) return undefined;
  const half = (1n << count.range.hi) >> 1n;
  for (const [value, factor] of [
    [a, b],
    [b, a],
  ] as const) {
    const most = magnitude(value.range);
    for (let bits = count.range.lo; bits > 0n; bits--) {
      if (most * ((1n << bits) - 1n) + half >= BIAS) continue;
      const high = magnitude({ lo: factor.range.lo >> bits, hi: factor.range.hi >> bits });
      if (most * high + (BIAS >> (bits - 1n)) <= I64.hi) return { value, factor, bits: Number(bits), count };
      break;
    }
  }
  return undefined;
}

export function emitLimbProduct(values: LaneValues, node: Node, { value, factor, bits, count }: Limbs): void {
  const [x, whole] = [values.wide(value), values.wide(factor)];
  const total = (which: "low" | "high") => {
    local.get(x[which]);
    local.get(whole[which]);
    i64.const((1n << BigInt(bits)) - 1n);
    i64x2.splat();
    v128.and();
    i64x2.mul();
    pushHalf(values, count);
    i64.const(BIAS);
    i64.add();
    i64x2.splat();
    i64x2.add();
    i32.const(bits);
    i64x2.shr_u();
    local.get(x[which]);
    local.get(whole[which]);
    i32.const(bits);
    i64x2.shr_s();
    i64x2.mul();
    i64x2.add();
    i64.const(BIAS >> BigInt(bits));
    i64x2.splat();
    i64x2.sub();
  };
  setShifted(values, node, total, count, bits);
}
