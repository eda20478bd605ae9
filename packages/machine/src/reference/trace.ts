import { tensorRoot } from "../commitments/tensor.ts";
import { loopRoot, traceRoot } from "../commitments/trace.ts";
import { elementBytes } from "../elements.ts";
import type { ConstantSource, Job } from "../engine.ts";
import { checkJob, loadConstants } from "../job.ts";
import type { Program } from "../program.ts";
import { assertWellFormed } from "../validate/wellFormed.ts";
import { Evaluation } from "./evaluation.ts";

export type ReferenceTrace = { stageRoots: Uint8Array[]; root: Uint8Array; isTrue: boolean };

/** Computes every element of a job, the root of its trace, and whether its statement is true. For small programs. */
export function traceByReference(program: Program, constants: ConstantSource, job: Job): ReferenceTrace {
  assertWellFormed(program);
  checkJob(program, job);
  const loaded = loadConstants(program, constants);
  const evaluation = new Evaluation(program, { ...job, constant: (index) => loaded[index] ?? new Uint8Array(0) });
  const stageRoots = program.stages.map((stage, index) => {
    const steps = Array.from({ length: evaluation.steps(index) }, (_, t) => t);
    if (stage.order === 2)
      return loopRoot(steps.map((t) => stage.folds.map((_, fold) => evaluation.bytes(index, fold, t))));
    const matrices = steps.map((t) => evaluation.matrix(index, 0, t));
    const inOrder = stage.order === 0 ? matrices.flat() : timeInnermost(matrices);
    return tensorRoot(elementBytes(stage.folds[0]?.type ?? "i64", inOrder));
  });
  const last = program.stages.length - 1;
  const folds = [...(program.stages[last]?.folds.keys() ?? [])];
  const steps = Array.from({ length: evaluation.steps(last) }, (_, t) => t);
  const isTrue = steps.every((t) =>
    folds.every((fold) => evaluation.matrix(last, fold, t).every((value) => value === 1n)),
  );
  return { stageRoots, root: traceRoot(stageRoots), isTrue };
}

/** [t][e] to [e][t]. */
const timeInnermost = (matrices: readonly bigint[][]): bigint[] =>
  (matrices[0] ?? []).flatMap((_, e) => matrices.map((matrix) => matrix[e] ?? 0n));
