import { childAt, descendants, isLeaf, type Position, type Program, rootPosition } from "@foldmark/machine";
import type { DisputeTrace } from "../traces/disputeTrace.ts";
import { isSame, type RevealedLeaf, type RevealedTree } from "./revealedTree.ts";

/** How far the search for the first wrong leaf has come: the leaf itself, or the node under which something must be shown. */
export type Descent = { found: "leaf"; leaf: RevealedLeaf } | { found: "node"; position: Position };

type Search = { program: Program; own: DisputeTrace; theirs: RevealedTree };

/**
 * Goes down the payee's tree along the leftmost node that differs from the own one, as far as it is known. All that lies
 * to the left of a leftmost difference is equal in both trees, and with it every operand of the element found there; a
 * difference further right is often consistent with the lie before it. The roots must differ.
 */
export async function descend({ program, own, theirs }: Search): Promise<Descent> {
  let position = childAt(rootPosition(program), 0, 0, { program, T: own.T });
  // a tree of a single stage begins below its only list
  for (;;) {
    if (isLeaf(position)) {
      const leaf = theirs.leaf(position);
      return leaf ? { found: "leaf", leaf } : { found: "node", position };
    }
    const shown = theirs.under(position);
    if (!shown) return { found: "node", position };
    position = await leftmostDifference(shown, { program, own });
  }
}

/** The node among those shown that differs first, as the position that a question about it leads to. */
export async function leftmostDifference(
  { position, depth, nodes }: { position: Position; depth: number; nodes: readonly Uint8Array[] },
  { program, own }: Pick<Search, "program" | "own">,
): Promise<Position> {
  const { first } = descendants(position, depth);
  const mine = await own.nodes(position, depth);
  const at = nodes.findIndex((node, i) => !isSame(node, mine[i]));
  if (at < 0) throw new Error("the nodes under a node that differs are all equal");
  return childAt(position, depth, first + at, { program, T: own.T });
}
