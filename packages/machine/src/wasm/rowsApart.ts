import type { Expression } from "../expression.ts";
import { size } from "../program.ts";
import type { FoldCode, Site } from "./sites.ts";

/**
 * By fold: whether each of its rows is kept with all steps in one run, `[r][t][c]`, instead of `[t][r][c]`. So it is where
 * every load at another step walks over steps and stays in one row, as attention does in the keys of one head: memory is
 * then read from one end to the other.
 */
export function rowsApart(codes: readonly FoldCode[], target: (site: Site) => number | undefined): boolean[] {
  const apart = codes.map(() => false);
  const together = codes.map(({ decl, order }) => {
    const isMatrix = size.kind(decl.rows) === 0 && size.n(decl.rows) > 1 && size.kind(decl.cols) === 0;
    return order !== 0 || !isMatrix;
  });
  for (const { sites, siteOf } of codes)
    for (const [load, at] of siteOf) {
      const site = sites[at] as Site;
      const loaded = target(site);
      if (site.via !== "fold" || site.current || loaded === undefined) continue;
      if (walksInRow(load.args as [Expression, Expression, Expression])) apart[loaded] = true;
      else together[loaded] = true;
    }
  return apart.map((isApart, id) => isApart && !together[id]);
}

/** Of a load's step, row and column. */
function walksInRow([step, row]: [Expression, Expression, Expression]): boolean {
  const variable = (["k", "c"] as const).find((name) => contains(step, name));
  return variable !== undefined && !contains(row, variable);
}

function contains(expression: Expression, variable: "c" | "k"): boolean {
  const seen = new Set<Expression>();
  const pending = [expression];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (node.op === variable) return true;
    if (seen.has(node)) continue;
    seen.add(node);
    pending.push(...node.args);
  }
  return false;
}
