import { MachineError } from "../errors.ts";
import type { Variable } from "../expression.ts";
import type { Arithmetic } from "../ops.ts";
import type { ElementType } from "../program.ts";

/** What a load reads: a tensor or a fold of the program that is being built. Its number is known when it is built. */
export type Source = { readonly type: ElementType };

/** A value while a program is written: frozen data. A node object used twice in one expression is computed once. */
export type Expr =
  | { readonly op: "literal"; readonly args: readonly []; readonly value: bigint }
  | { readonly op: Variable; readonly args: readonly [] }
  | { readonly op: "tensor" | "fold" | "now" | "prev"; readonly args: readonly Expr[]; readonly source: Source }
  | { readonly op: Arithmetic; readonly args: readonly Expr[] };

/** Everything that stands for a value: a number must be a safe integer, a bigint must fit i64 (or u64, taken modulo 2^64). */
export type Value = Expr | number | bigint;

const MIN = -(2n ** 63n);
const U64 = 2n ** 64n;

export function literal(value: number | bigint): Expr {
  if (typeof value === "number" && !Number.isSafeInteger(value))
    throw new MachineError("machine.bad_literal", `${value} is no safe integer.`, { value });
  const exact = BigInt(value);
  if (exact < MIN || exact >= U64)
    throw new MachineError("machine.bad_literal", `${exact} does not fit 64 bits.`, { value: String(exact) });
  return Object.freeze({ op: "literal", args: [] as const, value: BigInt.asIntN(64, exact) });
}

export const expr = (value: Value): Expr => (typeof value === "object" ? value : literal(value));

const variableNode = (op: Variable): Expr => Object.freeze({ op, args: [] as const });
/** The variables of an expression, one object each. */
export const variables = {
  t: variableNode("t"),
  r: variableNode("r"),
  c: variableNode("c"),
  k: variableNode("k"),
  T: variableNode("T"),
  acc: variableNode("acc"),
} as const;

export const load = (op: "tensor" | "fold" | "now" | "prev", source: Source, index: readonly Value[]): Expr =>
  Object.freeze({ op, args: index.map(expr), source });

export const operation = (op: Arithmetic, ...args: Value[]): Expr => Object.freeze({ op, args: args.map(expr) });
