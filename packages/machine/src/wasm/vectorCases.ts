import type { Graph, Node } from "./graph.ts";
import { arithmetic } from "./lower.ts";
import { rewritten } from "./rewrite.ts";
import { isExpensive, type VectorLoop, vectorValues } from "./vectorForm.ts";
import { narrowLimbsOf } from "./vectors/narrowLimbs.ts";

/** One way of writing a loop: its value, what is computed in a turn, and what that uses from outside. */
export type VectorLeaf = { root: Node; inside: Node[]; outside: Node[] };
/** A loop that is written more than once, where a value from outside decides which of them runs. */
export type VectorCases<L extends VectorLeaf = VectorLeaf> =
  | L
  | { predicate: Node; taken: VectorCases<L>; other: VectorCases<L> };

/** A loop is written four times at most. */
const MOST_SPLITS = 2;
/** So many values fewer are worth a loop of their own. */
const WORTH_A_LOOP = 4;

/**
 * Splits a loop over selects whose predicate comes from outside, and over factors from outside that may be small enough
 * for fewer limbs than their range has. Undefined where the value has no vector form.
 */
export function vectorCases(graph: Graph, root: Node, loop: VectorLoop): VectorCases | undefined {
  return split(graph, root, loop, { left: MOST_SPLITS, large: new Set() });
}

type Splits = { left: number; large: ReadonlySet<Node> };

function split(graph: Graph, root: Node, loop: VectorLoop, { left, large }: Splits): VectorCases | undefined {
  const values = vectorValues([root], loop);
  if (values === undefined || left === 0) return values && { root, ...values };
  for (const node of values.inside) {
    const found = bySelect(graph, root, node, loop) ?? byFactor(graph, root, node, loop, large);
    if (found === undefined) continue;
    const { predicate, factor } = found;
    const taken = split(graph, found.taken, loop, { left: left - 1, large });
    const other = split(graph, found.other, loop, {
      left: left - 1,
      large: factor === undefined ? large : new Set([...large, factor]),
    });
    if (taken !== undefined && other !== undefined) return { predicate, taken, other };
  }
  return { root, ...values };
}

type Split = { predicate: Node; taken: Node; other: Node; factor?: Node };

function bySelect(graph: Graph, root: Node, node: Node, loop: VectorLoop): Split | undefined {
  const predicate = node.op === "select" ? node.args[0] : undefined;
  if (predicate === undefined || predicate.level >= loop.level) return undefined;
  const side = (at: 1 | 2) =>
    rewritten(graph, root, (select, visit) =>
      select.op === "select" && select.args[0] === predicate ? visit(select.args[at] as Node) : undefined,
    );
  const [taken, other] = [side(1), side(2)];
  const cost = (value: Node) =>
    (vectorValues([value], loop)?.inside ?? []).reduce(
      (sum, part) => sum + (isExpensive(part, loop) ? WORTH_A_LOOP : 1),
      0,
    );
  return cost(root) - Math.min(cost(taken), cost(other)) >= WORTH_A_LOOP ? { predicate, taken, other } : undefined;
}

function byFactor(graph: Graph, root: Node, node: Node, loop: VectorLoop, large: ReadonlySet<Node>): Split | undefined {
  const limbs = node.op === "mulshr" ? narrowLimbsOf(node, loop) : undefined;
  if (limbs === undefined || limbs.limbs <= 2 || limbs.factor.range.lo < 0n || large.has(limbs.factor))
    return undefined;
  const { factor, bits } = limbs;
  const bound = 1n << BigInt(2 * bits);
  const small = arithmetic(graph, "min", [factor, graph.literal(bound - 1n)]);
  const taken = rewritten(graph, root, (part) => (part === factor ? small : undefined));
  return { predicate: arithmetic(graph, "lt", [factor, graph.literal(bound)]), taken, other: root, factor };
}

/** The same cases, each with more known of it. */
export function mapLeaves<L extends VectorLeaf>(cases: VectorCases, map: (leaf: VectorLeaf) => L): VectorCases<L> {
  if ("root" in cases) return map(cases);
  const { predicate, taken, other } = cases;
  return { predicate, taken: mapLeaves(taken, map), other: mapLeaves(other, map) };
}

/** What is computed outside the loop, whichever way runs. */
export const outsideOf = (cases: VectorCases): Node[] =>
  "root" in cases ? cases.outside : [cases.predicate, ...outsideOf(cases.taken), ...outsideOf(cases.other)];
