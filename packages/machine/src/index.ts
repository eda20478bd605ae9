// program, ops, expression, encode, decode <- validate <- builder; commitments; reference and wasm stand on all of them
export * from "./builder/index.ts";
export { decodeProgram } from "./decode.ts";
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
export * from "./expression.ts";
export * from "./ops.ts";
export * from "./program.ts";
export { assertWellFormed, expressionsOf, type FoldExpressions } from "./validate/wellFormed.ts";
