import { RANGE } from "../elements.ts";
import type { Variable } from "../expression.ts";
import {
  analyseIntervals,
  clampInterval,
  contains,
  I64,
  type Interval,
  type IntervalAnalysis,
  point,
} from "../intervals.ts";
import { type Fold, type Program, type Stage, size, sizeAt, tensorsOf } from "../program.ts";
import { expressionsOf, type FoldExpressions } from "./wellFormed.ts";

export type FoldIntervals = {
  expressions: FoldExpressions;
  body: IntervalAnalysis;
  finish: IntervalAnalysis | null;
  /** What a finish finds in `acc`: the body, or every partial sum of it. */
  acc: Interval;
  /** What is stored: clamped into the type. */
  stored: Interval;
  /** The most terms at T = maxT; 1 where nothing is combined. */
  terms: number;
  /** Whether some partial sum may not fit i64. */
  sumMayOverflow: boolean;
};

export type FoldIntervalOptions = {
  /** Bounds of a constant that are known better than by its type, by its number among the constants. */
  constant?: (index: number) => Interval;
};

/** Intervals of every fold (stage by stage), for any job up to maxT. Inputs are bounded by their types only. */
export function foldIntervals(program: Program, options: FoldIntervalOptions = {}): FoldIntervals[][] {
  const tensors = tensorsOf(program);
  const firstConstant = program.requests.length + program.claimed.length;
  const tensorInterval = tensors.map(({ type }, i) =>
    i >= firstConstant && options.constant ? options.constant(i - firstConstant) : RANGE[type],
  );
  const known: FoldIntervals[][] = [];

  for (const [stageIndex, stage] of program.stages.entries()) {
    const ofStage: FoldIntervals[] = [];
    known.push(ofStage);
    for (const [foldIndex, fold] of stage.folds.entries()) {
      const expressions = expressionsOf(program, stageIndex, foldIndex);
      const { variables, terms } = variableIntervals(program, stage, fold);
      const load: Parameters<typeof analyseIntervals>[1]["load"] = (node) => {
        if (node.op === "tensor") return tensorInterval[node.tensor] ?? I64;
        if (node.op === "fold") return known[node.stage]?.[node.fold]?.stored ?? I64;
        if (node.op === "now") return ofStage[node.fold]?.stored ?? I64;
        return RANGE[stage.folds[node.fold]?.type ?? "i64"];
      };
      const body = analyseIntervals(expressions.body, { variables, load });
      const exact = fold.combine === "sum" ? partialSums(body.root, terms) : body.root;
      const sumMayOverflow = !contains(I64, exact);
      const acc = sumMayOverflow ? I64 : exact;
      const finish =
        expressions.finish && analyseIntervals(expressions.finish, { variables: { ...variables, acc }, load });
      const value = fold.combine === "argmax" ? { lo: 0n, hi: BigInt(terms - 1) } : (finish?.root ?? acc);
      const stored = clampInterval(value, RANGE[fold.type]);
      ofStage.push({ expressions, body, finish, acc, stored, terms, sumMayOverflow });
    }
  }
  return known;
}

/** Every value that a sum of 1 to `terms` terms passes through. */
const partialSums = ({ lo, hi }: Interval, terms: number): Interval => ({
  lo: lo < 0n ? lo * BigInt(terms) : lo,
  hi: hi > 0n ? hi * BigInt(terms) : hi,
});

function variableIntervals(
  program: Program,
  stage: Stage,
  fold: Fold,
): { variables: Record<Variable, Interval>; terms: number } {
  const at = { t: 0, T: program.maxT };
  const steps = sizeAt(stage.steps, at);
  const most = (encoded: number) => (size.kind(encoded) === 2 ? steps : sizeAt(encoded, at));
  const terms = fold.combine === "none" ? 1 : most(fold.axis);
  const upTo = (count: number): Interval => ({ lo: 0n, hi: BigInt(count - 1) });
  return {
    terms,
    variables: {
      t: upTo(steps),
      r: upTo(most(fold.rows)),
      c: upTo(most(fold.cols)),
      k: upTo(terms),
      T: { lo: 1n, hi: BigInt(program.maxT) },
      acc: point(0n),
    },
  };
}
