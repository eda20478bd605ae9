import { isFloatable, type Node, normalised } from "./graph.ts";
import { I64, ofType, within } from "./ranges.ts";

export const VECTOR_LANES = 4;

/** The loop whose neighbouring iterations share a vector. */
export type VectorLoop = { variable: "r" | "c" | "k"; level: 1 | 2 | 3 };

/** Whether every value fits 32 bits. */
export const isNarrow = (node: Node): boolean => within(node.range, ofType.i32);
/** The address of a load at the loop's first iteration, where neighbouring iterations load neighbouring elements. */
export const runOf = (node: Node, { variable }: VectorLoop): Node | undefined => node.runs?.[variable];
/** Whether the value is an i32: an address or a part of one. */
export const isAddress = ({ op }: Node): boolean => ["slot32", "wrap", "add32", "scale32", "mul32"].includes(op);

/**
 * The values that change in the loop, in the order of their computation, and the values from outside that they use;
 * undefined where one of them has no vector form. `sum` is an accumulator that is given to the emitter.
 */
export function vectorValues(
  roots: readonly Node[],
  loop: VectorLoop,
  sum?: Node,
): { inside: Node[]; outside: Node[] } | undefined {
  const inside = new Set<Node>();
  const outside = new Set<Node>();
  const pending = [...roots];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (node.level < loop.level) {
      outside.add(node);
      continue;
    }
    if (inside.has(node) || node === sum) continue;
    if ((node.late && sum === undefined) || !hasVectorForm(node)) return undefined;
    inside.add(node);
    const run = node.op === "load" ? runOf(node, loop) : undefined;
    if (run !== undefined) outside.add(run);
    else pending.push(...node.args);
  }
  const inOrder = (nodes: Set<Node>) => [...nodes].sort((a, b) => a.id - b.id);
  return { inside: inOrder(inside), outside: inOrder(outside) };
}

/** Everything but loads that record what they read, and sums that nobody gives. */
const hasVectorForm = (node: Node): boolean => node.op !== "acc" && (node.op !== "load" || node.args.length === 1);

/** Whether a value of the loop takes far longer than to add or compare. */
export function isExpensive(node: Node, loop: VectorLoop): boolean {
  switch (node.op) {
    case "philox":
    case "isqrt":
    case "mulshr":
      return true;
    case "bitlen":
      return !isFloatable(node.args[0] as Node);
    case "udiv":
      return powerOfDivision(node) === undefined;
    case "shl":
      return !isShiftedLeft(node, loop) && normalised(node) === undefined;
    case "shr":
      return !isShiftedRight(node, loop);
    default:
      return false;
  }
}

/** n, where a value that is not negative is divided by 2^n. */
export function powerOfDivision({ args: [value, divisor] }: Node): number | undefined {
  return divisor?.op === "literal" && value !== undefined && value.range.lo >= 0n ? log2(divisor.value) : undefined;
}

/** Whether a left shift is one operation on all lanes. */
export function isShiftedLeft({ args: [, count] }: Node, { level }: VectorLoop): boolean {
  return count !== undefined && count.level < level;
}

/** Whether a right shift is the same for all lanes: adding half of the power first must not overflow. */
export function isShiftedRight({ args: [value, count] }: Node, { level }: VectorLoop): boolean {
  if (value === undefined || count === undefined || count.level >= level) return false;
  return value.range.hi + ((1n << count.range.hi) >> 1n) <= I64.hi;
}

/** n of 2^n; undefined for any other value. */
export function log2(value: bigint): number | undefined {
  return value > 0n && (value & (value - 1n)) === 0n ? value.toString(2).length - 1 : undefined;
}
