import { encodeCode, recordsOf } from "../encode.ts";
import { MachineError } from "../errors.ts";
import { tensorByteLength } from "../job.ts";
import type { Op } from "../ops.ts";
import { BYTES, type Fold, type Program, type Stage, size, sizeAt } from "../program.ts";
import { costOfFold, type FoldCost, MAX_SCATTERED_TERMS } from "./cost.ts";
import { evidenceOf } from "./evidence.ts";
import { foldIntervals } from "./foldIntervals.ts";
import { type StepwiseReason, stepwiseReasons } from "./stepwise.ts";
import { assertWellFormed } from "./wellFormed.ts";

/** What a loader takes. Evidence and gas keep every element refutable on chain, the rest keeps a program from hanging who loads it. */
export type AcceptanceLimits = {
  evidenceBytes: number;
  gas: number;
  /** Terms over all elements of a job at T = maxT. */
  work: bigint;
  traceBytes: bigint;
  /** Records and code together. */
  programBytes: number;
  stages: number;
};

export const ACCEPTANCE_LIMITS: AcceptanceLimits = {
  evidenceBytes: 90_000,
  gas: 8_000_000,
  work: 10n ** 15n,
  traceBytes: 2n ** 40n,
  programBytes: 4 * 2 ** 20,
  stages: 8_192,
};

/** Rule 2: bounds on evidence, gas, work, trace and size; 3: long sums load runs; 4: no sum overflows i64. */
export type Refusal = { rule: 2 | 3 | 4; stage?: number; fold?: number; reason: string };

export type AcceptanceReport = {
  refusals: Refusal[];
  costs: FoldCost[];
  work: bigint;
  traceBytes: bigint;
  programBytes: number;
  /** Bytes of request and claimed tensors at T = maxT: what a contract that orders a job would have to hold. */
  inputBytes: number;
  /** Operations that may wrap i64. Defined, and no reason to refuse; often a mistake. */
  mayWrap: { stage: number; fold: number; part: "body" | "finish"; op: Op | "literal" }[];
  /** Why it cannot be served step by step; empty where it can. No reason to refuse. */
  notStepwise: StepwiseReason[];
};

/**
 * Measures a well-formed program against what a loader accepts.
 * @throws `machine.malformed`
 */
export function examineProgram(program: Program, limits: AcceptanceLimits = ACCEPTANCE_LIMITS): AcceptanceReport {
  assertWellFormed(program);
  const refusals: Refusal[] = [];
  const folds = program.stages.flatMap(({ folds: list }, stage) => list.map((_, fold) => ({ stage, fold })));

  const programBytes = [
    ...recordsOf(program),
    ...program.stages.flatMap((stage) => stage.folds.map(encodeCode)),
  ].reduce((sum, bytes) => sum + bytes.length, 0);
  if (program.stages.length > limits.stages) refusals.push(over("stages", program.stages.length, limits.stages));
  if (programBytes > limits.programBytes)
    refusals.push(over("bytes of records and code", programBytes, limits.programBytes));
  const sizes = program.stages.flatMap((stage) => stage.folds.map((fold) => totals(program, stage, fold)));
  const work = sizes.reduce((sum, each) => sum + each.work, 0n);
  const traceBytes = sizes.reduce((sum, each) => sum + each.bytes, 0n);
  if (work > limits.work) refusals.push(over("terms of work at maxT", work, limits.work));
  if (traceBytes > limits.traceBytes) refusals.push(over("bytes of trace at maxT", traceBytes, limits.traceBytes));

  const evidence = evidenceOf(program);
  const costs = folds.map((at) => costOfFold(program, at, evidence));
  for (const { stage, fold, evidenceBytes, gas, scattered } of costs) {
    if (scattered.length > 0) {
      const reason = `a sum of more than ${MAX_SCATTERED_TERMS} terms has ${scattered.length} loads that are neither fixed nor a run over k`;
      refusals.push({ rule: 3, stage, fold, reason });
    }
    if (evidenceBytes > limits.evidenceBytes)
      refusals.push({ stage, fold, ...over("bytes of evidence", evidenceBytes, limits.evidenceBytes) });
    if (gas > limits.gas) refusals.push({ stage, fold, ...over("gas to refute an element", gas, limits.gas) });
  }

  const mayWrap: AcceptanceReport["mayWrap"] = [];
  for (const [stage, ofStage] of foldIntervals(program).entries())
    for (const [fold, { sumMayOverflow, terms, body, finish }] of ofStage.entries()) {
      if (sumMayOverflow) {
        const { lo, hi } = body.root;
        refusals.push({ rule: 4, stage, fold, reason: `a sum of ${terms} terms of ${lo} to ${hi} may overflow i64` });
      }
      for (const { op } of body.wraps) mayWrap.push({ stage, fold, part: "body", op });
      for (const { op } of finish?.wraps ?? []) mayWrap.push({ stage, fold, part: "finish", op });
    }
  const inputBytes = [...program.requests, ...program.claimed].reduce(
    (sum, decl) => sum + tensorByteLength(decl, program.maxT),
    0,
  );
  const notStepwise = stepwiseReasons(program);
  return { refusals, costs, work, traceBytes, programBytes, inputBytes, mayWrap, notStepwise };
}

/**
 * Refuses a program that no loader should take.
 * @throws `machine.malformed`; `machine.not_accepted` with stage, fold and rule of the first refusal, and all of them
 */
export function assertAccepted(program: Program, limits: AcceptanceLimits = ACCEPTANCE_LIMITS): AcceptanceReport {
  const report = examineProgram(program, limits);
  const first = report.refusals[0];
  if (!first) return report;
  const { stage, fold, rule, reason } = first;
  const where = stage === undefined ? "Program" : `Stage ${stage}, fold ${fold}`;
  throw new MachineError("machine.not_accepted", `${where}: ${reason} (rule ${rule}).`, {
    ...first,
    refusals: report.refusals,
  });
}

const over = (what: string, got: number | bigint, limit: number | bigint): Refusal => ({
  rule: 2,
  reason: `${got} ${what}, at most ${limit} are accepted`,
});

/** Terms and bytes of a fold over all steps at T = maxT. */
function totals(program: Program, stage: Stage, fold: Fold): { work: bigint; bytes: bigint } {
  const at = { t: 0, T: program.maxT };
  const steps = BigInt(sizeAt(stage.steps, at));
  const isHistory = (encoded: number) => size.kind(encoded) === 2;
  const once = (encoded: number) => (isHistory(encoded) ? 1n : BigInt(sizeAt(encoded, at)));
  const hasTerms = fold.combine !== "none";
  // sums over t = 0..steps-1 of 1, t + 1 and (t + 1)^2
  const sums = [steps, (steps * (steps + 1n)) / 2n, (steps * (steps + 1n) * (2n * steps + 1n)) / 6n] as const;
  const overSteps = (histories: number) => sums[histories === 0 ? 0 : histories === 1 ? 1 : 2];
  const colHistories = isHistory(fold.cols) ? 1 : 0;
  const axisHistories = hasTerms && isHistory(fold.axis) ? 1 : 0;
  const matrix = once(fold.rows) * once(fold.cols);
  return {
    work: matrix * (hasTerms ? once(fold.axis) : 1n) * overSteps(colHistories + axisHistories),
    bytes: matrix * overSteps(colHistories) * BigInt(BYTES[fold.type]),
  };
}
