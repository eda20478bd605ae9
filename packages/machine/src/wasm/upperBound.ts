import { arithmeticIntervals, contains } from "../intervals.ts";
import type { Graph, Node } from "./graph.ts";
import { arithmetic } from "./lower.ts";
import { I64 } from "./ranges.ts";
import { isExpensive, type VectorLoop } from "./vectorForm.ts";

type Side = "lo" | "hi";

/**
 * A value that is never below the given one and contains nothing expensive that changes in the loop: sums, products with
 * what is not negative, shifts, extremes and selects are monotone, so that bounds of their parts bound them. The value
 * itself where nothing of it is expensive.
 */
export function upperBound(graph: Graph, root: Node, loop: VectorLoop): Node {
  const expensive = new Map<Node, boolean>();
  const holdsExpensive = (node: Node): boolean => {
    if (node.level < loop.level) return false;
    const known = expensive.get(node) ?? (isExpensive(node, loop) || node.args.some(holdsExpensive));
    expensive.set(node, known);
    return known;
  };
  const bound = (node: Node, side: Side): Node => {
    if (!holdsExpensive(node)) return node;
    const limit = graph.literal(node.range[side]);
    const composed = compose(node, side);
    return composed === undefined || isLooser(composed, limit, side) ? limit : composed;
  };
  const compose = (node: Node, side: Side): Node | undefined => {
    const [a, b, c] = node.args as [Node, Node, Node];
    const other = side === "lo" ? "hi" : "lo";
    switch (node.op) {
      case "add":
        return wraps(node.op, node.args) ? undefined : arithmetic(graph, "add", [bound(a, side), bound(b, side)]);
      case "sub":
        return wraps(node.op, node.args) ? undefined : arithmetic(graph, "sub", [bound(a, side), bound(b, other)]);
      case "shr":
        return holdsExpensive(b) ? undefined : arithmetic(graph, "shr", [bound(a, side), b]);
      case "min":
      case "max":
        return arithmetic(graph, node.op, [bound(a, side), bound(b, side)]);
      case "select":
        if (!holdsExpensive(a)) return arithmetic(graph, "select", [a, bound(b, side), bound(c, side)]);
        return arithmetic(graph, side === "hi" ? "max" : "min", [bound(b, side), bound(c, side)]);
      case "mul": {
        const [factor, value] = holdsExpensive(a) ? [b, a] : [a, b];
        if (holdsExpensive(factor) || factor.range.lo < 0n || wraps(node.op, node.args)) return undefined;
        return arithmetic(graph, "mul", [bound(value, side), factor]);
      }
      default:
        return undefined;
    }
  };
  return bound(root, "hi");
}

/** Whether a bound that is computed is no better than the known one for any value. */
const isLooser = (composed: Node, limit: Node, side: Side): boolean =>
  side === "hi" ? composed.range.lo >= limit.range.lo : composed.range.hi <= limit.range.hi;

function wraps(op: "add" | "sub" | "mul", [a, b]: readonly Node[]): boolean {
  return a === undefined || b === undefined || !contains(I64, arithmeticIntervals[op](a.range, b.range));
}
