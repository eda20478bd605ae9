import { ByteWriter } from "./bytes.ts";
import { leafHash } from "./hash.ts";
import { COMBINES, ELEMENT_TYPES, type Fold, type Program, type Stage, type TensorDecl, tensorsOf } from "./program.ts";

/** The version of the machine, the first field of every header. */
export const MACHINE_VERSION = 1;

/** 14 bytes: u16 version, u16 requests, u16 claimed, u16 constants, u16 stages, u32 maxT. */
export const encodeHeader = (program: Program): Uint8Array =>
  new ByteWriter()
    .u16(MACHINE_VERSION)
    .u16(program.requests.length)
    .u16(program.claimed.length)
    .u16(program.constants.length)
    .u16(program.stages.length)
    .u32(program.maxT)
    .done();

/** 9 bytes: u8 type, u32 rows, u32 cols. */
export const encodeTensorRecord = (tensor: TensorDecl): Uint8Array =>
  new ByteWriter().u8(ELEMENT_TYPES.indexOf(tensor.type)).u32(tensor.rows).u32(tensor.cols).done();

/** 5 + 41 F bytes: u8 order, u32 steps, then for each fold u8 type, u32 rows, u32 cols, the leaf hash of its code. */
export function encodeStageRecord(stage: Stage): Uint8Array {
  const record = new ByteWriter().u8(stage.order).u32(stage.steps);
  for (const fold of stage.folds)
    record
      .u8(ELEMENT_TYPES.indexOf(fold.type))
      .u32(fold.rows)
      .u32(fold.cols)
      .bytes(leafHash(encodeCode(fold)));
  return record.done();
}

/** u8 combine, u32 axis, u16 length of the body, body, finish. */
export const encodeCode = (fold: Pick<Fold, "combine" | "axis" | "body" | "finish">): Uint8Array =>
  new ByteWriter()
    .u8(COMBINES.indexOf(fold.combine))
    .u32(fold.axis)
    .u16(fold.body.length)
    .bytes(fold.body)
    .bytes(fold.finish)
    .done();

/** The records that `programRoot` commits to: requests, claimed tensors, constants, stages. */
export const recordsOf = (program: Program): Uint8Array[] => [
  ...tensorsOf(program).map(encodeTensorRecord),
  ...program.stages.map(encodeStageRecord),
];

/**
 * A whole program as one file: header, tensor records, for each stage a u8 with its number of folds and its record, then
 * for each fold a u16 with the length of its code and the code. One program has one file.
 * Trusts that the program is well-formed (the builder and `decodeProgram` return no other).
 */
export function encodeProgram(program: Program): Uint8Array {
  const file = new ByteWriter().bytes(encodeHeader(program));
  for (const tensor of tensorsOf(program)) file.bytes(encodeTensorRecord(tensor));
  for (const stage of program.stages) file.u8(stage.folds.length).bytes(encodeStageRecord(stage));
  for (const fold of program.stages.flatMap((stage) => stage.folds)) {
    const code = encodeCode(fold);
    file.u16(code.length).bytes(code);
  }
  return file.done();
}
