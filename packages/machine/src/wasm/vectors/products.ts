import { i32, i64, i64x2, local, v128 } from "../asm.ts";
import type { Node } from "../graph.ts";
import { I64, magnitude } from "../ranges.ts";
import type { VectorLoop } from "../vectorForm.ts";
import type { LaneValues, Wide } from "./lanes.ts";
import { setShifted } from "./shifts.ts";

/** A factor as low + 2^bits * high, with 0 <= low < 2^bits, so that either product with `value` fits 64 bits. */
type Limbs = { value: Node; factor: Node; bits: number; shift: number };

/** What makes a sum of the low product and half of 2^shift not negative, so that it can be shifted as unsigned. */
const BIAS = 1n << 62n;

/**
 * How a `mulshr` whose product needs more than 64 bits is computed in lanes:
 * (v * high + (v * low + half) / 2^bits) / 2^(shift - bits), both divisions rounding down, is exact. Undefined where it
 * does not fit, or where the count is no literal.
 */
export function limbsOf(node: Node, { level }: VectorLoop): Limbs | undefined {
  const [a, b, count] = node.args as [Node, Node, Node];
  if (count.op !== "literal") return undefined;
  const shift = Number(count.value);
  const orders = a.level < level ? [[b, a] as const] : [[a, b] as const, [b, a] as const];
  for (const [value, factor] of orders) {
    const most = magnitude(value.range);
    const half = 1n << BigInt(shift - 1);
    for (let bits = Math.min(shift, 62); bits > 0; bits--) {
      const power = BigInt(bits);
      if (most * ((1n << power) - 1n) + half >= BIAS) continue;
      const high = magnitude({ lo: factor.range.lo >> power, hi: factor.range.hi >> power });
      if (most * high + (BIAS >> (power - 1n)) <= I64.hi) return { value, factor, bits, shift };
      break;
    }
  }
  return undefined;
}

/** Limbs of factors that do not change in the loop, spread before it. */
export type SpreadLimbs = Map<Node, { low: Wide; high: Wide }>;

/** Spreads the limbs of a factor from outside the loop; to be written before it. */
export function spreadLimbs(values: LaneValues, known: SpreadLimbs, node: Node): void {
  const limbs = limbsOf(node, values.loop);
  if (limbs === undefined || limbs.factor.level >= values.loop.level) return;
  const { factor, bits } = limbs;
  const spread = (push: () => void): Wide => {
    const all = values.locals.v128();
    values.scalar(factor);
    push();
    i64x2.splat();
    local.set(all);
    return { low: all, high: all };
  };
  const low = spread(() => {
    i64.const((1n << BigInt(bits)) - 1n);
    i64.and();
  });
  const high = spread(() => {
    i64.const(BigInt(bits));
    i64.shr_s();
  });
  known.set(node, { low, high });
}

export function emitLimbProduct(
  values: LaneValues,
  node: Node,
  { value, factor, bits, shift }: Limbs,
  spread: SpreadLimbs,
): void {
  const { low, high } = spread.get(node) ?? limbs(values, values.wide(factor), bits);
  const x = values.wide(value);
  const half = 1n << BigInt(shift - 1);
  const total = (which: "low" | "high") => {
    i64x2.mul(x[which], low[which]);
    i64.const(half + BIAS);
    i64x2.splat();
    i64x2.add();
    i32.const(bits);
    i64x2.shr_u();
    i64x2.mul(x[which], high[which]);
    i64x2.add();
    i64.const(BIAS >> BigInt(bits));
    i64x2.splat();
    i64x2.sub();
  };
  setShifted(values, node, total, shift - bits);
}

function limbs(values: LaneValues, factor: Wide, bits: number): { low: Wide; high: Wide } {
  const low = values.wideTemporary((half) => {
    local.get(factor[half]);
    i64.const((1n << BigInt(bits)) - 1n);
    i64x2.splat();
    v128.and();
  });
  const high = values.wideTemporary((half) => {
    local.get(factor[half]);
    i32.const(bits);
    i64x2.shr_s();
  });
  return { low, high };
}
