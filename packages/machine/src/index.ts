// program, ops, expression, encode, decode <- intervals <- validate <- builder, commitments, session <- reference, wasm <- trace <- evidence, testing
export * from "./builder/index.ts";
export { decodeProgram } from "./decode.ts";
export { elementBytes, RANGE, readElement, saturate } from "./elements.ts";
export {
  encodeCode,
  encodeHeader,
  encodeProgram,
  encodeStageRecord,
  encodeTensorRecord,
  MACHINE_VERSION,
  recordsOf,
} from "./encode.ts";
export type * from "./engine.ts";
export { MachineError } from "./errors.ts";
export * from "./evidence/index.ts";
export * from "./expression.ts";
export { analyseIntervals, type Interval, type IntervalAnalysis, type IntervalEnvironment } from "./intervals.ts";
export { checkJob, checkRequest, loadConstants, tensorByteLength } from "./job.ts";
export * from "./ops.ts";
export * from "./program.ts";
export * from "./reference/index.ts";
export { checkWants, type SessionRules, sessionRules } from "./session.ts";
export * from "./trace/index.ts";
export {
  ACCEPTANCE_LIMITS,
  type AcceptanceLimits,
  type AcceptanceReport,
  assertAccepted,
  examineProgram,
  type Refusal,
} from "./validate/accepted.ts";
export { costOfFold, type FoldCost } from "./validate/cost.ts";
export { type FoldIntervalOptions, type FoldIntervals, foldIntervals } from "./validate/foldIntervals.ts";
export { claimedBeforeLast, differingRequest, type RequestUse, requestBeforeLast } from "./validate/inputUse.ts";
export { isPerStep, type StepwiseReason, stepwiseReasons } from "./validate/stepwise.ts";
export { assertWellFormed, expressionsOf, type FoldExpressions } from "./validate/wellFormed.ts";
export {
  type Explanation,
  KERNEL_FAMILIES,
  type KernelFamily,
  openWasm,
  openWasmWith,
  type ProfiledFold,
  type WasmEngine,
  type WasmOptions,
} from "./wasm/index.ts";
