// Programs as bytes, changed where no builder would change them.
import type { ProgramBytes } from "@foldmark/machine";
import { leafHash } from "@foldmark/machine/commitments";

export const HEADER = { version: 0, requests: 2, claimed: 4, constants: 6, stages: 8, maxT: 10 } as const;
/** Bytes of a stage's record before its folds, of a fold in it, and of a fold before the hash of its code. */
const [STAGE, FOLD, DECLARATION] = [5, 41, 9];
/** Where a record of a fold holds its type, rows and cols. */
export const DECLARED = { type: 0, rows: 1, cols: 5 } as const;

const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export const u32 = (value: number): Uint8Array => {
  const bytes = new Uint8Array(4);
  view(bytes).setUint32(0, value, true);
  return bytes;
};

export const tensorsIn = ({ header }: ProgramBytes): number =>
  [HEADER.requests, HEADER.claimed, HEADER.constants].reduce((sum, at) => sum + view(header).getUint16(at, true), 0);

/** Other bytes from an offset on. */
export function written(bytes: Uint8Array, at: number, values: Uint8Array | readonly number[]): Uint8Array {
  const changed = Uint8Array.from(bytes);
  changed.set(values, at);
  return changed;
}

export const withHeader = (
  program: ProgramBytes,
  at: number,
  values: Uint8Array | readonly number[],
): ProgramBytes => ({
  ...program,
  header: written(program.header, at, values),
});

export function withRecord(
  program: ProgramBytes,
  index: number,
  change: (record: Uint8Array) => Uint8Array,
): ProgramBytes {
  return { ...program, records: program.records.map((record, i) => (i === index ? change(record) : record)) };
}

export const withStage = (program: ProgramBytes, stage: number, change: (record: Uint8Array) => Uint8Array) =>
  withRecord(program, tensorsIn(program) + stage, change);

/** Changes what a stage's record says of a fold. */
export const withFold = (
  program: ProgramBytes,
  { stage, fold = 0 }: { stage: number; fold?: number },
  at: number,
  values: Uint8Array | readonly number[],
): ProgramBytes => withStage(program, stage, (record) => written(record, STAGE + FOLD * fold + at, values));

/** Another code of a fold, with its hash in the record. */
export function withCode(
  program: ProgramBytes,
  { stage, fold = 0 }: { stage: number; fold?: number },
  change: (code: Uint8Array) => Uint8Array,
): ProgramBytes {
  const code = change(program.codes[stage]?.[fold] ?? new Uint8Array());
  const codes = program.codes.map((of, s) => of.map((each, f) => (s === stage && f === fold ? code : each)));
  return withFold({ ...program, codes }, { stage, fold }, DECLARATION, leafHash(code));
}

/** A stage with as many copies of its first fold. */
export function withFolds(program: ProgramBytes, stage: number, folds: number): ProgramBytes {
  const many = <T>(one: T) => Array.from({ length: folds }, () => one);
  const codes = program.codes.map((of, s) => (s === stage ? many(of[0] ?? new Uint8Array()) : of));
  return withStage({ ...program, codes }, stage, (record) =>
    Buffer.concat([record.subarray(0, STAGE), ...many(record.subarray(STAGE, STAGE + FOLD))]),
  );
}

/** The code of a fold from its parts. */
export function codeOf(
  body: readonly number[],
  finish: readonly number[] = [],
  { combine = 0, axis = 0 } = {},
): Uint8Array {
  return Uint8Array.from([combine, ...u32(axis), body.length & 255, body.length >> 8, ...body, ...finish]);
}
