import { f64x2, i32, i64, i64x2, local, v128 } from "../asm.ts";
import type { Node, Normalised } from "../graph.ts";
import type { LaneValues, Wide } from "./lanes.ts";

const MANTISSA_BITS = 52;
const EXPONENT_OF_HALF = 1022n;

/** Bits of a number that a float holds: the exponent of that. */
export function emitBitLength(values: LaneValues, node: Node): void {
  const floats = floatsOf(values, node.args[0] as Node);
  values.setWide(node, (half) => {
    local.get(floats[half]);
    i32.const(MANTISSA_BITS);
    i64x2.shr_u();
    i64.const(EXPONENT_OF_HALF);
    i64x2.splat();
    i64x2.sub();
  });
}

/** The mantissa of the float, with the bit that floats leave out. */
export function emitNormalised(values: LaneValues, node: Node, { value, length }: Normalised): void {
  const floats = floatsOf(values, value);
  values.setWide(node, (half) => {
    local.get(floats[half]);
    i64.const(2n ** BigInt(MANTISSA_BITS) - 1n);
    i64x2.splat();
    v128.and();
    i64.const(2n ** BigInt(MANTISSA_BITS));
    i64x2.splat();
    v128.or();
    i32.const(MANTISSA_BITS + 1 - length);
    i64x2.shr_u();
  });
}

/** Numbers below 2^52 as floats, exactly: the lowest bits of the float 2^52, less 2^52. */
function floatsOf(values: LaneValues, value: Node): Wide {
  const wide = values.wide(value);
  return values.wideTemporary((half) => {
    local.get(wide[half]);
    i64.const(0x4330_0000_0000_0000n);
    i64x2.splat();
    v128.or();
    i64.const(0x4330_0000_0000_0000n);
    i64x2.splat();
    f64x2.sub();
  });
}
