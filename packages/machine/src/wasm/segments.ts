import type { Program } from "../program.ts";
import { isPerStep } from "../validate/stepwise.ts";
import type { Folds } from "./folds.ts";

/**
 * Folds that are computed one after the other for a row, and then for the next row, so that their buffers stay in the nearest
 * cache; or one matrix product (`dot`), which takes all rows at once.
 */
export type Segment = {
  folds: number[];
  dot: boolean;
  /** No row loads what a segment computes for another row: rows can be computed in any order. */
  independent: boolean;
};

/**
 * Segments of the stages before the last that have one step for each of a job's.
 * @param isProduct - whether a fold is computed as a matrix product
 * @param split - end a segment where a row would load what it computes for another row, except in loops
 */
export function segmentsOf(
  program: Program,
  folds: Folds,
  { isProduct, split }: { isProduct(fold: number): boolean; split: boolean },
): Segment[] {
  const segments: Segment[] = [];
  for (const [stage, decl] of program.stages.slice(0, -1).entries()) {
    if (!isPerStep(decl)) continue;
    const first = folds.firstOf[stage] as number;
    const own = decl.folds.map((_, fold) => first + fold);
    const dot = decl.order !== 2 && isProduct(first);
    const independent = decl.order !== 2;
    const open = segments.at(-1);
    const joins =
      open !== undefined &&
      !dot &&
      !open.dot &&
      !(split && (independent !== open.independent || own.some((fold) => loadsOtherRows(folds, fold, open.folds))));
    if (joins) {
      open.folds.push(...own);
      open.independent &&= independent;
    } else segments.push({ folds: own, dot, independent });
  }
  return segments;
}

/** Whether a fold loads one of `of` at a step that is not, or need not be, its own. */
const loadsOtherRows = ({ codes, target }: Folds, fold: number, of: readonly number[]): boolean =>
  (codes[fold]?.sites ?? []).some(
    (site) => site.via === "fold" && !site.current && of.includes(target(site) as number),
  );
