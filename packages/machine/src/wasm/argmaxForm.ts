import type { Graph, Node } from "./graph.ts";
import { upperBound } from "./upperBound.ts";
import type { VectorLeaf } from "./vectorCases.ts";
import { isNarrow, type VectorLoop, vectorValues } from "./vectorForm.ts";

/** Passed where some lane of a vector may still win: where `excluded` is 0, or where `bound` exceeds the best so far. */
export type ArgmaxTest = { inside: Node[] } & ({ excluded: Node } | { bound: Node });

/** How a turn of an argmax is skipped. No candidate is below `floor`. */
export type ArgmaxForm = { floor: bigint; tests: ArgmaxTest[] };
/** A loop over candidates. */
export type ArgmaxLeaf = VectorLeaf & { argmax: ArgmaxForm };

/**
 * A candidate that cannot win need not be computed: one of which a cheap upper bound does not exceed the best so far (of
 * equal ones the first wins), and one that a select excludes, by a literal below all others.
 */
export function argmaxLeaf(graph: Graph, leaf: VectorLeaf, loop: VectorLoop): ArgmaxLeaf {
  const { root } = leaf;
  const [predicate, literal, candidate] = root.args as [Node, Node, Node];
  const isExcluding = root.op === "select" && literal.op === "literal" && literal.range.hi < candidate.range.lo;
  const bound = upperBound(graph, isExcluding ? candidate : root, loop);
  const insideOf = (node: Node) => vectorValues([node], loop) ?? { inside: [], outside: [] };
  const tests: ArgmaxTest[] = [{ bound, inside: insideOf(bound).inside }];
  if (isExcluding) tests.push({ excluded: predicate, inside: insideOf(predicate).inside });
  tests.sort((a, b) => costOf(a.inside) - costOf(b.inside));
  const inside = new Set([...leaf.inside, ...tests.flatMap((test) => test.inside)]);
  const outside = new Set([...leaf.outside, ...insideOf(bound).outside]);
  const floor = isExcluding ? literal.range.lo : root.range.lo;
  return { root, inside: [...inside].sort((a, b) => a.id - b.id), outside: [...outside], argmax: { floor, tests } };
}

const costOf = (nodes: readonly Node[]) => nodes.reduce((sum, node) => sum + (isNarrow(node) ? 1 : 4), 0);
