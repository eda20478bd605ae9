import { i32, i32x4, i64, i64x2, local } from "../asm.ts";
import type { Node } from "../graph.ts";
import { magnitude, ofType } from "../ranges.ts";
import { isNarrow, type VectorLoop } from "../vectorForm.ts";
import type { LaneValues, Vector, Wide } from "./lanes.ts";
import { pushHalf, setShifted } from "./shifts.ts";

/**
 * `mulshr(x * y, factor, shift)` of 32-bit lanes x and y with a factor from outside the loop, taken apart into limbs of so
 * many bits that y times a limb fits 32 bits; all limbs but the highest are not negative.
 */
type NarrowLimbs = { x: Node; y: Node | undefined; factor: Node; bits: number; limbs: number; count: Node };

/** Makes every partial sum of a lower limb not negative, so that it can be shifted as unsigned. */
const BIAS = 1n << 62n;
const LEAST_BITS = 4;

export function narrowLimbsOf(node: Node, { level }: VectorLoop): NarrowLimbs | undefined {
  const [a, b, count] = node.args as [Node, Node, Node];
  if (count.level >= level || count.range.lo < 1n) return undefined;
  const [factor, value] = a.level < level ? [a, b] : [b, a];
  if (factor.level >= level || value.level < level) return undefined;
  const [x, y] = narrowFactors(value, level) ?? [];
  if (x === undefined) return undefined;
  const most = y === undefined ? 1n : magnitude(y.range);
  const fits = (limb: bigint) => most * limb <= ofType.i32.hi;
  let bits = 0;
  while (fits((2n << BigInt(bits)) - 1n)) bits++;
  if (bits < LEAST_BITS) return undefined;
  const highest = (limbs: number) => {
    const below = BigInt(bits * (limbs - 1));
    return magnitude({ lo: factor.range.lo >> below, hi: factor.range.hi >> below });
  };
  let limbs = 1;
  while (!fits(highest(limbs))) limbs++;
  return bits * (limbs - 1) <= count.range.lo ? { x, y, factor, bits, limbs, count } : undefined;
}

/** A narrow value, or the two narrow factors of a product, the smaller one last. */
function narrowFactors(value: Node, level: number): [Node, Node?] | undefined {
  if (isNarrow(value)) return [value];
  const [a, b] = value.args;
  if (value.op !== "mul" || a === undefined || b === undefined || !isNarrow(a) || !isNarrow(b)) return undefined;
  const [x, y] = magnitude(a.range) < magnitude(b.range) ? [b, a] : [a, b];
  return x.level < level && y.level < level ? undefined : [x, y];
}

/** What does not change in the loop: the limbs from the lowest on, and what is added at each of them. */
export type SpreadLimbs = { limbs: Vector[]; additions: Vector[] };

/** To be written before the loop. */
export function spreadNarrowLimbs(
  values: LaneValues,
  { factor, bits, limbs: needed, count }: NarrowLimbs,
): SpreadLimbs {
  const limbs = Array.from({ length: needed }, (_, limb) => {
    values.scalar(factor);
    i64.const(BigInt(bits * limb));
    i64.shr_s();
    if (limb < needed - 1) {
      i64.const((1n << BigInt(bits)) - 1n);
      i64.and();
    }
    i32.wrap_i64();
    i32x4.splat();
    return stored(values);
  });
  const additions = limbs.map((_, limb) => {
    const own = limb < needed - 1 ? BIAS : 0n;
    i64.const(limb === 0 ? own : own - (BIAS >> BigInt(bits)));
    if (limb === 0) {
      pushHalf(values, count);
      i64.add();
    }
    i64x2.splat();
    return stored(values);
  });
  return { limbs, additions };
}

/** Divides from the lowest limb on, rounding down each time: the quotient of the whole, exactly. */
export function emitNarrowLimbs(
  values: LaneValues,
  node: Node,
  { x, y, bits, limbs: needed, count }: NarrowLimbs,
  { limbs, additions }: SpreadLimbs,
): void {
  values.push32(x);
  const first = stored(values);
  let sum: Wide | undefined;
  for (let limb = 0; limb < needed; limb++) {
    const factor = y === undefined ? (limbs[limb] as Vector) : timesLimb(values, y, limbs[limb] as Vector);
    const below = sum;
    sum = values.wideTemporary((half) => {
      if (half === "low") i64x2.extmul_low_i32x4_s(first, factor);
      else i64x2.extmul_high_i32x4_s(first, factor);
      local.get(additions[limb] as Vector);
      i64x2.add();
      if (below === undefined) return;
      local.get(below[half]);
      i32.const(bits);
      i64x2.shr_u();
      i64x2.add();
    });
  }
  const total = sum as Wide;
  setShifted(values, node, (half) => local.get(total[half]), count, bits * (needed - 1));
}

function timesLimb(values: LaneValues, y: Node, limb: Vector): Vector {
  values.push32(y);
  local.get(limb);
  i32x4.mul();
  return stored(values);
}

function stored(values: LaneValues): Vector {
  const result = values.locals.v128();
  local.set(result);
  return result;
}
