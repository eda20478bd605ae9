import type { Node } from "./graph.ts";

/** One side of a select whose values are computed only when that side is taken. */
export type Branch = { select: Node; side: 1 | 2; owned: Set<Node> };

/** The branches, and for each value that only one of them needs the innermost of those. */
export type Laziness = { branches: Branch[]; ownerOf: Map<Node, Branch> };

const EXPENSIVE: ReadonlySet<Node["op"]> = new Set<Node["op"]>(["philox", "udiv", "isqrt", "mulshr"]);
/** So many values are worth a branch that goes the same way in a whole loop. */
const WORTH_A_BRANCH = 4;

/**
 * Decides which selects become branches. Everything is total and pure, so skipping a side changes no result: worth it
 * where a side holds an expensive operation, or where the predicate does not change in the loop. With `always`, every
 * select is a branch (a side that is not taken must not be read).
 */
export function lazyBranches(roots: readonly Node[], always: boolean): Laziness {
  const reachable = [...reach(roots)];
  const branches: Branch[] = [];
  for (const select of reachable) {
    if (select.op !== "select") continue;
    for (const side of [1, 2] as const) {
      const without = reach(roots, { select, side });
      const owned = new Set(
        reachable.filter((node) => !without.has(node) && node.level === select.level && node.late === select.late),
      );
      const predicate = select.args[0] as Node;
      const expensive = [...owned].some(({ op }) => EXPENSIVE.has(op));
      const steady = predicate.level < select.level && owned.size >= WORTH_A_BRANCH;
      if (owned.size > 0 && (always || expensive || steady)) branches.push({ select, side, owned });
    }
  }
  const ownerOf = new Map<Node, Branch>();
  for (const branch of branches.toSorted((a, b) => b.owned.size - a.owned.size))
    for (const node of branch.owned) ownerOf.set(node, branch);
  return { branches, ownerOf };
}

/** Every value that the roots need, without what only the given side of a select needs. */
export function reach(roots: readonly Node[], cut?: { select: Node; side: 1 | 2 }): Set<Node> {
  const found = new Set<Node>();
  const pending = [...roots];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (found.has(node)) continue;
    found.add(node);
    node.args.forEach((arg, at) => {
      if (node !== cut?.select || at !== cut.side || node.args.some((other, i) => other === arg && i !== at))
        pending.push(arg);
    });
  }
  return found;
}
