import { LEAF_BYTES } from "../../src/commitments/index.ts";
import {
  BYTES,
  type ElementAt,
  elementBytes,
  type FoldTensor,
  foldTensorBytes,
  leafCount,
  leavesPosition,
  type Program,
  placeOfElement,
  RANGE,
  readElement,
  sizeAt,
  stepsOf,
  type Trace,
  traceInMemory,
} from "../../src/index.ts";
import { type ForgedLeaf, forge, type RandomJob } from "../../src/testing/index.ts";

/** An element of a job, picked by five numbers. */
export function pickElement(program: Program, T: number, picks: readonly number[]): ElementAt {
  const [a = 0, b = 0, i = 0, j = 0, k = 0] = picks;
  const stage = a % program.stages.length;
  const decl = program.stages[stage];
  const fold = b % (decl?.folds.length ?? 1);
  const shape = decl?.folds[fold];
  if (!decl || !shape) throw new Error("no such fold");
  const t = i % stepsOf(decl, T);
  return { stage, fold, t, r: j % sizeAt(shape.rows, { t, T }), c: k % sizeAt(shape.cols, { t, T }) };
}

/** Every element of a job. */
export function* allElements(program: Program, T: number): Generator<ElementAt> {
  for (const [stage, decl] of program.stages.entries())
    for (let t = 0; t < stepsOf(decl, T); t++)
      for (const [fold, { rows, cols }] of decl.folds.entries())
        for (let r = 0; r < sizeAt(rows, { t, T }); r++)
          for (let c = 0; c < sizeAt(cols, { t, T }); c++) yield { stage, fold, t, r, c };
}

export function valueAt(program: Program, trace: Trace, at: ElementAt): bigint {
  const { type } = program.stages[at.stage]?.folds[at.fold] ?? { type: "i64" as const };
  const { of, byte, leaf } = placeOfElement(program, at, trace.T);
  return readElement(type, trace.leaf(of, leaf), (byte % LEAF_BYTES) / BYTES[type]);
}

/** A value of the element's type that is not `value`: near it, or at an end of the type. */
export function anotherValue(
  program: Program,
  at: ElementAt,
  { value, pick }: { value: bigint; pick: number },
): bigint {
  const { lo, hi } = RANGE[program.stages[at.stage]?.folds[at.fold]?.type ?? "i64"];
  const options = [value + 1n, value - 1n, value ^ 1n, value ^ 64n, -value, 0n, 1n, lo, hi].filter(
    (other) => other !== value && other >= lo && other <= hi,
  );
  return options[pick % options.length] ?? (value === 0n ? 1n : 0n);
}

/** The leaf of an element with another value in its place. */
export function leafWith(program: Program, trace: Trace, at: ElementAt, value: bigint): ForgedLeaf {
  const type = program.stages[at.stage]?.folds[at.fold]?.type ?? "i64";
  const { of, byte, leaf } = placeOfElement(program, at, trace.T);
  const bytes = trace.leaf(of, leaf).slice();
  bytes.set(elementBytes(type, [value]), byte % LEAF_BYTES);
  return { of, index: leaf, bytes };
}

/** The trace of a liar who changes a leaf and nothing else. */
export const changedAlone = (program: Program, honest: Trace, change: ForgedLeaf): Trace =>
  forge(honest, { program, changes: [change] });

/** The trace of a liar who changes a leaf and computes all that follows from it. */
export function changedThroughout({ program, constants, job }: RandomJob, honest: Trace, change: ForgedLeaf): Trace {
  const { of, index } = change;
  const bytes = new Uint8Array(foldTensorBytes(program, of, job.T));
  for (let leaf = 0; leaf < leafCount(bytes.length); leaf++)
    bytes.set(leaf === index ? change.bytes : honest.leaf(of, leaf), leaf * LEAF_BYTES);
  const constant = (i: number) => constants[i] ?? new Uint8Array();
  return traceInMemory(program, constant, { ...job, given: [{ of, bytes }] });
}

/** The same trace with every element of the last stage 1. */
export function withAllTrue(program: Program, trace: Trace): Trace {
  const changes: ForgedLeaf[] = [];
  for (const of of tensorsOfLastStage(program, trace.T)) {
    const { type } = program.stages[of.stage]?.folds[of.fold] ?? { type: "i64" as const };
    const { length, tensorBytes } = leavesPosition(program, of, trace.T);
    for (let index = 0; index < length; index++) {
      const elements = Math.min(LEAF_BYTES, tensorBytes - index * LEAF_BYTES) / BYTES[type];
      changes.push({
        of,
        index,
        bytes: elementBytes(
          type,
          Array.from({ length: elements }, () => 1n),
        ),
      });
    }
  }
  return forge(trace, { program, changes });
}

function* tensorsOfLastStage(program: Program, T: number): Generator<FoldTensor> {
  const stage = program.stages.length - 1;
  const decl = program.stages[stage];
  if (decl?.order !== 2) yield { stage, fold: 0, t: 0 };
  else for (let t = 0; t < stepsOf(decl, T); t++) for (const fold of decl.folds.keys()) yield { stage, fold, t };
}
