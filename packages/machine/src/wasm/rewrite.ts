import type { Graph, Node } from "./graph.ts";
import { arithmetic } from "./lower.ts";

/** The same value with some of its parts replaced; `replace` gives undefined for a part that stays, and may visit others. */
export function rewritten(
  graph: Graph,
  root: Node,
  replace: (node: Node, visit: (node: Node) => Node) => Node | undefined,
): Node {
  const known = new Map<Node, Node>();
  const visit = (node: Node): Node => {
    const found = known.get(node);
    if (found !== undefined) return found;
    const result = replace(node, visit) ?? withArgs(graph, node, node.args.map(visit));
    known.set(node, result);
    return result;
  };
  return visit(root);
}

function withArgs(graph: Graph, node: Node, args: Node[]): Node {
  if (args.every((arg, at) => arg === node.args[at])) return node;
  const [a, b] = args as [Node, Node];
  switch (node.op) {
    case "load":
      // the address of a run's first element has the same value however it is written
      return graph.load(node.type, a, { range: node.range, runs: node.runs, late: node.late });
    case "wrap":
      return graph.wrap(a);
    case "add32":
      return graph.sum32([a, b]);
    case "scale32":
      return graph.scale32(a, node.factor);
    case "mul32":
      return graph.mul32(a, b);
    case "literal":
    case "slot":
    case "slot32":
    case "r":
    case "c":
    case "k":
    case "acc":
      return node;
    default:
      return arithmetic(graph, node.op, args);
  }
}
