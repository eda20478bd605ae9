import { ByteReader } from "./bytes.ts";
import { MACHINE_VERSION } from "./encode.ts";
import { MachineError } from "./errors.ts";
import { leafHash } from "./hash.ts";
import { COMBINES, ELEMENT_TYPES, type ElementType, type Fold, type Program, type TensorDecl } from "./program.ts";
import { assertWellFormed, MAX_CODE_BYTES, malformed } from "./validate/wellFormed.ts";

type FoldRecord = { type: ElementType; rows: number; cols: number; codeLeaf: Uint8Array };
type StageRecord = { order: 0 | 1 | 2; steps: number; folds: FoldRecord[] };

/**
 * Reads the file that `encodeProgram` writes, and checks that the program in it is well-formed.
 * @throws `machine.malformed` naming stage, fold and rule; `machine.truncated` or `machine.trailing_bytes` where the
 * file itself has the wrong length
 */
export function decodeProgram(file: Uint8Array): Program {
  const reader = new ByteReader(file, (offset, wanted) => {
    const message = `The program ends at byte ${file.length}; ${wanted} bytes are wanted at byte ${offset}.`;
    return new MachineError("machine.truncated", message, { offset, wanted, length: file.length });
  });

  const version = reader.u16();
  if (version !== MACHINE_VERSION)
    throw malformed({ rule: 0 }, `the header says version ${version}, this machine is version ${MACHINE_VERSION}`);
  const counts = { requests: reader.u16(), claimed: reader.u16(), constants: reader.u16(), stages: reader.u16() };
  const maxT = reader.u32();

  let tensor = 0;
  const tensors = (count: number) => Array.from({ length: count }, () => readTensor(reader, tensor++));
  const requests = tensors(counts.requests);
  const claimed = tensors(counts.claimed);
  const constants = tensors(counts.constants);
  const records = Array.from({ length: counts.stages }, (_, stage) => readStage(reader, stage));
  const stages = records.map(({ order, steps, folds }, stage) => ({
    order,
    steps,
    folds: folds.map((record, fold) => readFold(reader, record, { stage, fold })),
  }));
  if (reader.left > 0)
    throw new MachineError("machine.trailing_bytes", `${reader.left} bytes follow the program.`, {
      offset: reader.offset,
      length: file.length,
    });

  const program: Program = { maxT, requests, claimed, constants, stages };
  assertWellFormed(program);
  return program;
}

function readTensor(reader: ByteReader, tensor: number): TensorDecl {
  const code = reader.u8();
  const type = ELEMENT_TYPES[code];
  if (type === undefined) throw malformed({ rule: 1, tensor }, `${code} is no element type`);
  return { type, rows: reader.u32(), cols: reader.u32() };
}

function readStage(reader: ByteReader, stage: number): StageRecord {
  const count = reader.u8();
  const order = reader.u8();
  if (order !== 0 && order !== 1 && order !== 2) throw malformed({ rule: 1, stage }, `${order} is no order`);
  const steps = reader.u32();
  const folds = Array.from({ length: count }, (_, fold) => {
    const code = reader.u8();
    const type = ELEMENT_TYPES[code];
    if (type === undefined) throw malformed({ rule: 1, stage, fold }, `${code} is no element type`);
    return { type, rows: reader.u32(), cols: reader.u32(), codeLeaf: reader.bytes(32) };
  });
  return { order, steps, folds };
}

function readFold(reader: ByteReader, record: FoldRecord, where: { stage: number; fold: number }): Fold {
  const length = reader.u16();
  if (length < 8 || length > MAX_CODE_BYTES)
    throw malformed({ rule: 1, ...where }, `the code has ${length} bytes, 8 to ${MAX_CODE_BYTES} are allowed`);
  const code = reader.bytes(length);
  if (!leafHash(code).every((byte, i) => byte === record.codeLeaf[i]))
    throw new MachineError(
      "machine.code_mismatch",
      `Stage ${where.stage}, fold ${where.fold}: not the code of its record.`,
      where,
    );

  const parts = new ByteReader(code, () => malformed({ rule: 1, ...where }, "the body ends outside the code"));
  const combineCode = parts.u8();
  const combine = COMBINES[combineCode];
  if (combine === undefined) throw malformed({ rule: 1, ...where }, `${combineCode} is no combine`);
  const axis = parts.u32();
  const body = parts.bytes(parts.u16());
  const finish = parts.bytes(parts.left);
  const { type, rows, cols } = record;
  return { type, rows, cols, combine, axis, body, finish };
}
