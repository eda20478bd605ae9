import type { Expression } from "../expression.ts";
import { type Fold, type Program, type Stage, size } from "../program.ts";
import { expressionsOf } from "./wellFormed.ts";

export type StepwiseReason = { stage: number; fold: number; reason: string };

/** Whether a stage has one step for each of a job's. */
export const isPerStep = ({ steps }: Stage): boolean => size.kind(steps) === 1 && size.n(steps) === 1;

/**
 * Why a program cannot be computed step by step before its length is known; nothing where it can. All stages but the last
 * must give the same values whatever T will be: they take T or constant steps, name T nowhere, and load what has one
 * element for each step at a step that has been taken. The last stage is computed once T is known, and may do anything.
 */
export function stepwiseReasons(program: Program): StepwiseReason[] {
  const found: StepwiseReason[] = [];
  for (const [stageIndex, stage] of program.stages.slice(0, -1).entries()) {
    for (const [foldIndex, fold] of stage.folds.entries()) {
      const say = (reason: string) => found.push({ stage: stageIndex, fold: foldIndex, reason });
      const perStep = isPerStep(stage);
      if (!perStep && size.kind(stage.steps) === 1) say("takes ceil(T / n) steps");
      for (const [name, encoded] of Object.entries({ rows: fold.rows, cols: fold.cols, axis: fold.axis }))
        if (size.kind(encoded) === 1) say(`${name} depends on T`);

      const { body, finish } = expressionsOf(program, stageIndex, foldIndex);
      for (const { nodes } of finish ? [body, finish] : [body])
        for (const node of nodes) {
          if (node.op === "T") say("uses T");
          if (node.op === "tensor") sayOfClaimed(program, node, perStep, say);
          const loaded = node.op === "fold" ? program.stages[node.stage] : undefined;
          if (loaded && node.op === "fold" && isPerStep(loaded)) {
            if (!perStep) say(`loads stage ${node.stage}, which has T steps, from a constant number of steps`);
            else if (!isTaken(node.args[0], fold))
              say(`loads stage ${node.stage} at a step that may not have been taken`);
          }
        }
    }
  }
  return found;
}

function sayOfClaimed(
  program: Program,
  node: Expression & { op: "tensor" },
  perStep: boolean,
  say: (reason: string) => void,
): void {
  const index = node.tensor - program.requests.length;
  const claimed = program.claimed[index];
  if (index < 0 || !claimed) return;
  if (claimed.rows !== 1 || claimed.cols !== size.steps(1)) say(`loads claimed tensor ${index}, which is not 1 x T`);
  else if (!perStep) say(`loads claimed tensor ${index} from a constant number of steps`);
  else if (!isPast(node.args[1])) say(`loads claimed tensor ${index} at a column other than t or t - e`);
}

/** `t`, or `t - e` with a literal e >= 0. */
const isPast = (step: Expression | undefined): boolean => {
  if (step?.op === "t") return true;
  const [from, by] = step?.op === "sub" ? step.args : [];
  return from?.op === "t" && by?.op === "literal" && by.value >= 0n;
};

/** `t`, `t - e`, `k` over an axis of t + 1, `c` over t + 1 columns. */
const isTaken = (step: Expression | undefined, { axis, cols }: Fold): boolean =>
  isPast(step) || (step?.op === "k" && size.kind(axis) === 2) || (step?.op === "c" && size.kind(cols) === 2);
