import type { Arithmetic } from "../ops.ts";
import { mulShift, philox, roundShift, squareRoot, unsignedDivide } from "./arithmetic.ts";
import { call, i32, i64, select } from "./asm.ts";
import type { Node } from "./graph.ts";
import { I64 } from "./ranges.ts";

/** Pushes a value of the graph as an i64, any number of times. */
type Push = (node: Node) => void;
export type Operation = Exclude<Arithmetic, "select">;

/** Pushes the result of an operation on 64-bit scalars, as cheap as the ranges of its operands allow. */
export function pushOperation(op: Operation, operands: readonly Node[], push: Push): void {
  const [a, b] = operands as [Node, Node];
  const args = () => {
    for (const operand of operands) push(operand);
  };
  switch (op) {
    case "add":
    case "sub":
    case "mul":
    case "and":
    case "or":
    case "xor":
    case "shl":
      args();
      i64[op]();
      return;
    case "shr":
      shiftRight(a, b, push);
      return;
    case "mulshr":
      args();
      call(mulShift);
      return;
    case "min":
    case "max": {
      args();
      const [low, high] = op === "min" ? [a, b] : [b, a];
      push(low);
      push(high);
      i64.lt_s();
      select();
      return;
    }
    case "eq":
    case "lt":
      args();
      if (op === "eq") i64.eq();
      else i64.lt_s();
      i64.extend_i32_u();
      return;
    case "udiv":
      divide(a, b, push);
      return;
    case "isqrt":
      args();
      call(squareRoot);
      return;
    case "bitlen":
      i64.const(64n);
      args();
      i64.clz();
      i64.sub();
      return;
    case "philox":
      args();
      call(philox);
      return;
    default:
      op satisfies never;
  }
}

/** Pushes an i32 that is not 0 where the value is not 0. */
export function pushCondition(predicate: Node, push: Push): void {
  if (predicate.op === "eq" || predicate.op === "lt") {
    for (const arg of predicate.args) push(arg);
    if (predicate.op === "eq") i64.eq();
    else i64.lt_s();
    return;
  }
  push(predicate);
  i64.const(0n);
  i64.ne();
}

function shiftRight(value: Node, count: Node, push: Push): void {
  push(value);
  if (count.op === "literal") {
    const half = 1n << (count.value - 1n);
    if (value.range.hi + half <= I64.hi) {
      i64.const(half);
      i64.add();
      i64.const(count.value);
      i64.shr_s();
      return;
    }
  }
  const doubled = value.range.lo * 2n >= I64.lo && value.range.hi * 2n < I64.hi;
  if (doubled && count.range.lo >= 0n && count.range.hi <= 63n) {
    // floor(2a / 2^s), then half of it rounded up: the same for every s, 0 included
    i64.const(1n);
    i64.shl();
    push(count);
    i64.shr_s();
    i64.const(1n);
    i64.add();
    i64.const(1n);
    i64.shr_s();
    return;
  }
  push(count);
  call(roundShift);
}

function divide(a: Node, b: Node, push: Push): void {
  const isSmall = (node: Node) => node.range.lo >= 0n && node.range.hi < 2n ** 32n;
  push(a);
  if (b.range.lo <= 0n && b.range.hi >= 0n) {
    push(b);
    call(unsignedDivide);
  } else if (isSmall(a) && isSmall(b)) {
    i32.wrap_i64();
    push(b);
    i32.wrap_i64();
    i32.div_u();
    i64.extend_i32_u();
  } else {
    push(b);
    i64.div_u();
  }
}
