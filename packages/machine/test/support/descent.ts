import {
  childAt,
  falseElement,
  isLeaf,
  type PayeeTree,
  type Position,
  type Program,
  RevealedNodes,
  rootPosition,
  type Target,
  type Trace,
} from "../../src/index.ts";

/**
 * Walks to the first leaf in which the payee's trace differs: it shows the nodes four levels down, the leftmost that is
 * not one's own is asked for. Returns what a challenger then knows, and the element that it says is wrong.
 */
export function descend(program: Program, own: Trace, theirs: Trace): { payee: PayeeTree; target: Target } {
  const nodes = new RevealedNodes();
  let at: Position = rootPosition(program);
  // a list of one is its element
  while (at.height === 0 && !isLeaf(at)) at = childAt(at, 0, at.index, { program, T: own.T });
  while (!isLeaf(at)) {
    const depth = Math.min(4, at.height);
    const shown = theirs.nodes(at, depth);
    nodes.add(at, depth, shown);
    const differing = own.nodes(at, depth).findIndex((node, i) => !Buffer.from(node).equals(shown[i] as Uint8Array));
    if (differing < 0) throw new Error("the traces are equal");
    at = childAt(at, depth, at.index * 2 ** depth + differing, { program, T: own.T });
  }
  const of = { stage: at.stage, fold: at.fold, t: at.t };
  const data = theirs.leaf(of, at.index);
  const leaves = { own: own.leaf(of, at.index), theirs: data };
  return {
    payee: { trace: own, theirs: { nodes, leaf: { of, index: at.index, data } } },
    target: falseElement(program, { of, index: at.index, T: own.T }, leaves),
  };
}
