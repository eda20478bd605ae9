import { MachineError } from "../errors.ts";
import { BYTES } from "../program.ts";
import { type Expr, operation, type Value } from "./expr.ts";

/** Sums of several terms are added from the left. Wraps, like `sub` and `mul`. */
export const add = (a: Value, b: Value, ...more: Value[]): Expr =>
  more.reduce<Expr>((sum, term) => operation("add", sum, term), operation("add", a, b));
export const sub = (a: Value, b: Value): Expr => operation("sub", a, b);
export const mul = (a: Value, b: Value): Expr => operation("mul", a, b);
/** `a * b` exactly, shifted right by `s` (clamped to 0..63), half up. */
export const mulshr = (a: Value, b: Value, s: Value): Expr => operation("mulshr", a, b, s);
export const shl = (a: Value, s: Value): Expr => operation("shl", a, s);
/** Shifts right by `s` (clamped to 0..63), half up. */
export const shr = (a: Value, s: Value): Expr => operation("shr", a, s);
export const and = (a: Value, b: Value, ...more: Value[]): Expr =>
  more.reduce<Expr>((all, term) => operation("and", all, term), operation("and", a, b));
export const or = (a: Value, b: Value, ...more: Value[]): Expr =>
  more.reduce<Expr>((all, term) => operation("or", all, term), operation("or", a, b));
export const xor = (a: Value, b: Value): Expr => operation("xor", a, b);
export const min = (a: Value, b: Value): Expr => operation("min", a, b);
export const max = (a: Value, b: Value): Expr => operation("max", a, b);
/** 1 or 0. */
export const eq = (a: Value, b: Value): Expr => operation("eq", a, b);
/** 1 or 0, signed. */
export const lt = (a: Value, b: Value): Expr => operation("lt", a, b);
/** `a` where `condition` is not 0, else `b`. Both are evaluated. */
export const select = (condition: Value, a: Value, b: Value): Expr => operation("select", condition, a, b);
/** Division of the u64 images; by 0 it is 0. */
export const udiv = (a: Value, b: Value): Expr => operation("udiv", a, b);
/** Floor of the square root of the u64 image. */
export const isqrt = (a: Value): Expr => operation("isqrt", a);
/** Bits of the u64 image; 0 of 0. */
export const bitlen = (a: Value): Expr => operation("bitlen", a);
/** 64 random bits of Philox4x32-10 for the counter (a, b) under the key. */
export const philox = (a: Value, b: Value, key: Value): Expr => operation("philox", a, b, key);

export const neg = (a: Value): Expr => sub(0, a);
/** 1 where `a` is 0, else 0. */
export const not = (a: Value): Expr => eq(a, 0);
export const clamp = (a: Value, lo: Value, hi: Value): Expr => min(max(a, lo), hi);
/** Shifts right and drops the bits: the machine's own shift rounds. `bits` is a literal from 0 to 62. */
export const floorShr = (a: Value, bits: number): Expr =>
  bits === 0 ? shr(a, 0) : shr(and(a, -(2n ** BigInt(bits))), bits);

/**
 * One term of a dot product in the form that back ends and the referee recognise: two loads whose last index (or step)
 * is `k` itself and whose other indices do not contain `k`, the wider element type first.
 * @throws `machine.no_dot` where an argument is not such a load
 */
export function dot(a: Expr, b: Expr): Expr {
  const first = bytesOfRun(a);
  const second = bytesOfRun(b);
  return first >= second ? mul(a, b) : mul(b, a);
}

function bytesOfRun(node: Expr): number {
  if (!("source" in node))
    throw new MachineError("machine.no_dot", `A dot takes two loads, not ${node.op}.`, { op: node.op });
  const bare = node.args.filter((index) => index.op === "k").length;
  const others = node.args.filter((index) => index.op !== "k" && contains(index, "k")).length;
  const isRowRun = node.op === "tensor" && node.args[0]?.op === "k";
  if (bare !== 1 || others !== 0 || isRowRun)
    throw new MachineError("machine.no_dot", "A load in a dot has `k` as its column or step, and nowhere else.", {
      op: node.op,
    });
  return BYTES[node.source.type];
}

const contains = (node: Expr, op: string): boolean => node.op === op || node.args.some((arg) => contains(arg, op));
