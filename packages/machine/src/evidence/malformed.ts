import { ByteWriter } from "../bytes.ts";
import { decodeProgram } from "../decode.ts";
import { encodeCode, encodeHeader, recordsOf } from "../encode.ts";
import { MachineError } from "../errors.ts";
import { decodeExpression } from "../expression.ts";
import type { Program } from "../program.ts";
import { CODE_HEADER_BYTES, MAX_LOOP_FOLDS } from "../validate/wellFormed.ts";
import { RecordTree } from "./records.ts";
import type { Refutation } from "./refutation.ts";

/** What a model's id commits to, whether or not it makes a program; `codes` by stage and fold. */
export type ProgramBytes = {
  header: Uint8Array;
  records: readonly Uint8Array[];
  codes: readonly (readonly Uint8Array[])[];
};

export const programBytes = (program: Program): ProgramBytes => ({
  header: encodeHeader(program),
  records: recordsOf(program),
  codes: program.stages.map(({ folds }) => folds.map(encodeCode)),
});

const TENSOR_RECORD_BYTES = 9;
const STAGE_RECORD_BYTES = 5;
const FOLD_RECORD_BYTES = 41;

/**
 * Proves a statement false without its trace, where that is possible: its T is out of range, or its program is malformed.
 * @returns undefined where the program is well-formed and T in its range
 * @throws `machine.bad_program_bytes` where records or codes are not those that header and records tell of
 */
export function clearRefutation(bytes: ProgramBytes, T: number): Refutation | undefined {
  const { tensors, stages, maxT } = countsOf(bytes.header);
  if (T < 1 || T > maxT) return programEvidence(bytes, {});
  if (bytes.records.length !== tensors + stages)
    throw badBytes(`There are ${bytes.records.length} records, the header says ${tensors + stages}.`);
  const fault = lengthFault(bytes, tensors) ?? loaderFault(bytes, tensors);
  return fault && programEvidence(bytes, fault);
}

type Fault = { tensor?: number; stage?: number; fold?: number };

function countsOf(header: Uint8Array) {
  if (header.length !== 14) throw badBytes(`The header has ${header.length} bytes, 14 are wanted.`);
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const u16 = (at: number) => view.getUint16(at, true);
  return { tensors: u16(2) + u16(4) + u16(6), stages: u16(8), maxT: view.getUint32(10, true) };
}

/** Records of a length that no file of a program can hold. */
function lengthFault({ records }: ProgramBytes, tensors: number): Fault | undefined {
  for (const [index, { length }] of records.entries()) {
    if (index < tensors) {
      if (length !== TENSOR_RECORD_BYTES) return { tensor: index };
    } else {
      const folds = (length - STAGE_RECORD_BYTES) / FOLD_RECORD_BYTES;
      if (!Number.isInteger(folds) || folds < 1 || folds > MAX_LOOP_FOLDS) return { stage: index - tensors };
    }
  }
  return undefined;
}

/** What the loader says: the same rules decide here and there. */
function loaderFault({ header, records, codes }: ProgramBytes, tensors: number): Fault | undefined {
  const file = new ByteWriter().bytes(header);
  for (const record of records.slice(0, tensors)) file.bytes(record);
  for (const record of records.slice(tensors))
    file.u8((record.length - STAGE_RECORD_BYTES) / FOLD_RECORD_BYTES).bytes(record);
  for (const code of codes.flat()) file.u16(code.length).bytes(code);
  try {
    decodeProgram(file.done());
    return undefined;
  } catch (error) {
    if (!(error instanceof MachineError)) throw error;
    if (error.code === "machine.malformed") return error.details;
    throw badBytes("The codes are not those of the records.", error);
  }
}

/** The record of a tensor, or a fold's code with the records that it needs, about the fold's first element. */
export function programEvidence(
  { records, codes, header }: ProgramBytes,
  { tensor, stage, fold }: { tensor?: number; stage?: number; fold?: number },
): Refutation {
  const { tensors } = countsOf(header);
  const tree = new RecordTree(records);
  const code = (stage !== undefined && codes[stage]?.[fold ?? 0]) || new Uint8Array(0);
  const shown = [
    ...(tensor === undefined ? [] : [tensor]),
    ...(stage === undefined ? [] : [tensors + stage]),
    ...loadedRecords(code, tensors),
  ].filter((index) => index < records.length);
  return {
    target: { stage: stage ?? 0, fold: fold ?? 0, t: 0, r: 0, c: 0, j: 0 },
    records: [...new Set(shown)].map((index) => tree.open(index)),
    code,
    openings: [],
  };
}

/** Records that a fold's code names; none where the code cannot be read, which is then what is shown. */
function loadedRecords(code: Uint8Array, tensors: number): number[] {
  if (code.length < CODE_HEADER_BYTES) return [];
  const bodyEnd = CODE_HEADER_BYTES + (code[5] ?? 0) + 256 * (code[6] ?? 0);
  try {
    const body = decodeExpression(code.subarray(CODE_HEADER_BYTES, bodyEnd), { part: "body", loop: true });
    const finish = code.subarray(bodyEnd);
    const loads = [
      ...body.loads,
      ...(finish.length > 0 ? decodeExpression(finish, { part: "finish", loop: true }).loads : []),
    ];
    return loads.flatMap((load) => {
      if (load.op === "tensor") return [load.tensor];
      return load.op === "fold" ? [tensors + load.stage] : [];
    });
  } catch (error) {
    if (error instanceof MachineError) return [];
    throw error;
  }
}

const badBytes = (message: string, cause?: unknown) =>
  new MachineError("machine.bad_program_bytes", message, {}, { cause });
