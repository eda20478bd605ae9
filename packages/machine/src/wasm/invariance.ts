import type { Arithmetic } from "../ops.ts";
import { arithmetic } from "../reference/arithmetic.ts";
import type { Node } from "./graph.ts";
import { reach } from "./laziness.ts";

/** Which earlier value of the variable stands for each of its values. */
export type Representative = (value: number) => number;

/** More values than that are not tried one by one. */
const MOST_VALUES = 1 << 16;

/**
 * What an address is made of that changes with one variable and nothing else: each part with its value for every value of
 * the variable. Undefined where a part has no such list.
 */
export function partsOver(node: Node, variable: "r" | "c", count: number): bigint[][] | undefined {
  if (![...reach([node])].some(({ op }) => op === variable)) return [];
  if (count > MOST_VALUES) return undefined;
  const known = new Map<Node, bigint[] | "mixed" | "fixed">();
  const parts = new Set<bigint[]>();
  const valuesOf = (at: Node): bigint[] | "mixed" | "fixed" => {
    let found = known.get(at);
    if (found === undefined) {
      found = measure(at);
      known.set(at, found);
    }
    return found;
  };
  const measure = (at: Node): bigint[] | "mixed" | "fixed" => {
    if (at.op === variable) return Array.from({ length: count }, (_, value) => BigInt(value));
    const args = at.args.map(valuesOf);
    if (args.every((arg) => arg === "fixed")) return "fixed";
    const isPlain = at.args.every((arg, i) => args[i] !== "mixed" && (args[i] !== "fixed" || arg.op === "literal"));
    const operation = arithmetic[at.op as Arithmetic];
    if (!isPlain || operation === undefined) {
      for (const arg of args) if (typeof arg !== "string") parts.add(arg);
      return "mixed";
    }
    const operands = at.args.map((arg, i) => (value: number) => {
      const values = args[i] as bigint[] | "fixed";
      return values === "fixed" ? (arg as Node & { op: "literal" }).value : (values[value] as bigint);
    });
    return Array.from({ length: count }, (_, value) => {
      const [a, b, c] = operands.map((operand) => operand(value)) as [bigint, bigint, bigint];
      return operation(a, b, c);
    });
  };
  const whole = valuesOf(node);
  if (typeof whole !== "string") parts.add(whole);
  return [...parts];
}

/** Whether every value of the variable gives the address of the value that stands for it. */
export const isSameFor = (parts: bigint[][] | undefined, representative: Representative): boolean =>
  parts?.every((values) => values.every((value, at) => value === values[representative(at)])) ?? false;
