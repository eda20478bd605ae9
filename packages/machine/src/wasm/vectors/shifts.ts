import { i32, i32x4, i64, i64x2, local } from "../asm.ts";
import type { Node } from "../graph.ts";
import { ofType } from "../ranges.ts";
import { isNarrow } from "../vectorForm.ts";
import { HIGH_WORDS, type LaneValues, LOW_WORDS, type Vector } from "./lanes.ts";

/** A count from outside the loop. */
export function emitShiftLeft(values: LaneValues, node: Node): void {
  const [value, count] = node.args as [Node, Node];
  if (isNarrow(node) && count.range.hi < 32n) {
    values.push32(value);
    pushCount(values, count);
    i32x4.shl();
    values.set32(node);
    return;
  }
  const x = values.wide(value);
  values.setWide(node, (half) => {
    local.get(x[half]);
    pushCount(values, count);
    i64x2.shl();
  });
}

/** Pushes half of 2^count as an i64, 0 for a count of 0; the same for all lanes. */
export function pushHalf(values: LaneValues, count: Node): void {
  if (count.op === "literal") {
    i64.const((1n << count.value) >> 1n);
    return;
  }
  i64.const(1n);
  values.scalar(count);
  i64.shl();
  i64.const(1n);
  i64.shr_u();
}

/** What a right shift adds first, spread over the lanes that it needs; to be written before the loop. */
export function spreadHalf(values: LaneValues, node: Node): Vector {
  const [value, count] = node.args as [Node, Node];
  const half = values.locals.v128();
  pushHalf(values, count);
  if (isShiftedNarrow(value, count)) {
    i32.wrap_i64();
    i32x4.splat();
  } else i64x2.splat();
  local.set(half);
  return half;
}

/** By a count from outside, where adding half of its power does not overflow. */
export function emitShiftRight(values: LaneValues, node: Node, half: Vector): void {
  const [value, count] = node.args as [Node, Node];
  if (isShiftedNarrow(value, count)) {
    values.push32(value);
    local.get(half);
    i32x4.add();
    pushCount(values, count);
    i32x4.shr_s();
    values.set32(node);
    return;
  }
  const x = values.wide(value);
  setShifted(values, node, (which) => i64x2.add(x[which], half), count, 0);
}

const isShiftedNarrow = (value: Node, count: Node): boolean =>
  isNarrow(value) && count.range.hi < 32n && value.range.hi + ((1n << count.range.hi) >> 1n) <= ofType.i32.hi;

/** Sets a value to what is pushed, shifted right without rounding by a count from outside, less `taken`. */
export function setShifted(
  values: LaneValues,
  node: Node,
  push: (half: "low" | "high") => void,
  count: Node,
  taken: number,
): void {
  const [least, most] = [Number(count.range.lo) - taken, Number(count.range.hi) - taken];
  const pushRest = (beyond: number) => {
    if (count.op === "literal") i32.const(most - beyond);
    else {
      pushCount(values, count);
      i32.const(taken + beyond);
      i32.sub();
    }
  };
  // a narrow result needs no 64-bit arithmetic shift, which few processors have
  if (isNarrow(node) && (most <= 32 || least >= 32)) {
    const isLow = most <= 32;
    const shifted = values.wideTemporary((half) => {
      push(half);
      if (!isLow || most === 0) return;
      pushRest(0);
      i64x2.shr_u();
    });
    values.pushWords(shifted, isLow ? LOW_WORDS : HIGH_WORDS);
    if (!isLow) {
      pushRest(32);
      i32x4.shr_s();
    }
    values.set32(node);
    return;
  }
  values.setWide(node, (half) => {
    push(half);
    if (most === 0) return;
    pushRest(0);
    i64x2.shr_s();
  });
}

/** The product of its first operand with a power of two. */
export const emitPowerProduct = (values: LaneValues, node: Node, power: number): void =>
  emitPower(values, node, { power, fits: isNarrow(node), shifts: [i32x4.shl, i64x2.shl] });

/** The quotient of its first operand, which is not negative, by a power of two. */
export const emitPowerDivision = (values: LaneValues, node: Node, power: number): void =>
  emitPower(values, node, { power, fits: isNarrow(node.args[0] as Node), shifts: [i32x4.shr_u, i64x2.shr_u] });

/** Shifts by the same literal in every lane: in 32 bits where that `fits`, else in 64. */
function emitPower(
  values: LaneValues,
  node: Node,
  { power, fits, shifts: [narrow, wide] }: { power: number; fits: boolean; shifts: [() => void, () => void] },
): void {
  const value = node.args[0] as Node;
  if (fits) {
    values.push32(value);
    i32.const(power);
    narrow();
    values.set32(node);
    return;
  }
  const x = values.wide(value);
  values.setWide(node, (half) => {
    local.get(x[half]);
    i32.const(power);
    wide();
  });
}

/** The count as an i32, which is the same for all lanes. */
function pushCount(values: LaneValues, count: Node): void {
  values.scalar(count);
  i32.wrap_i64();
}
