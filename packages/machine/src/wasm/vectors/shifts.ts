import { i32, i32x4, i64, i64x2, local, v128 } from "../asm.ts";
import type { Node } from "../graph.ts";
import { ofType, range, within } from "../ranges.ts";
import { isNarrow } from "../vectorForm.ts";
import { HIGH_WORDS, type LaneValues, LOW_WORDS } from "./lanes.ts";

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

/** A literal count of at least 1, where adding half does not overflow; or one from outside, where doubling does not. */
export function emitShiftRight(values: LaneValues, node: Node): void {
  const [value, count] = node.args as [Node, Node];
  if (count.op === "literal") shiftByLiteral(values, node, value, Number(count.value));
  else shiftByCount(values, node, value, count);
}

/** By a power of two, of a value that is not negative. */
export function emitPowerDivision(values: LaneValues, node: Node, power: number): void {
  const value = node.args[0] as Node;
  if (isNarrow(value)) {
    values.push32(value);
    i32.const(power);
    i32x4.shr_u();
    values.set32(node);
    return;
  }
  const x = values.wide(value);
  values.setWide(node, (half) => {
    local.get(x[half]);
    i32.const(power);
    i64x2.shr_u();
  });
}

/** The count as an i32, which is the same for all lanes. */
function pushCount(values: LaneValues, count: Node): void {
  values.scalar(count);
  i32.wrap_i64();
}

function shiftByLiteral(values: LaneValues, node: Node, value: Node, s: number): void {
  const half = 1n << BigInt(s - 1);
  if (isNarrow(value) && value.range.hi + half <= ofType.i32.hi && s < 32) {
    values.push32(value);
    i32.const(Number(half));
    i32x4.splat();
    i32x4.add();
    i32.const(s);
    i32x4.shr_s();
    values.set32(node);
    return;
  }
  const x = values.wide(value);
  const pushRounded = (which: "low" | "high") => {
    local.get(x[which]);
    i64.const(half);
    i64x2.splat();
    i64x2.add();
  };
  setShifted(values, node, pushRounded, s);
}

/** Sets a value to what is pushed, shifted right by a literal count (0 included) without rounding. */
export function setShifted(values: LaneValues, node: Node, push: (half: "low" | "high") => void, s: number): void {
  if (!isNarrow(node) || s === 0) {
    values.setWide(node, (half) => {
      push(half);
      if (s === 0) return;
      i32.const(s);
      i64x2.shr_s();
    });
    return;
  }
  // a narrow result needs no 64-bit arithmetic shift, which few processors have
  const shifted = values.wideTemporary((half) => {
    push(half);
    if (s > 32) return;
    i32.const(s);
    i64x2.shr_u();
  });
  values.pushWords(shifted, s <= 32 ? LOW_WORDS : HIGH_WORDS);
  if (s > 32) {
    i32.const(s - 32);
    i32x4.shr_s();
  }
  values.set32(node);
}

/** floor(2a / 2^s), then half of it rounded up: the same for every s, 0 included. */
function shiftByCount(values: LaneValues, node: Node, value: Node, count: Node): void {
  const doubled = range(value.range.lo * 2n, value.range.hi * 2n + 1n);
  if (within(doubled, ofType.i32) && count.range.hi < 32n) {
    values.push32(value);
    i32.const(1);
    i32x4.shl();
    pushCount(values, count);
    i32x4.shr_s();
    v128.const("i32x4", [1, 1, 1, 1]);
    i32x4.add();
    i32.const(1);
    i32x4.shr_s();
    values.set32(node);
    return;
  }
  const x = values.wide(value);
  values.setWide(node, (half) => {
    local.get(x[half]);
    i32.const(1);
    i64x2.shl();
    pushCount(values, count);
    i64x2.shr_s();
    v128.const("i64x2", [1n, 1n]);
    i64x2.add();
    i32.const(1);
    i64x2.shr_s();
  });
}
