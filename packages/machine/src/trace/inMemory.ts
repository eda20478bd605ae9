import { LEAF_BYTES, tensorLeaves } from "../commitments/tensor.ts";
import { levelsOf } from "../commitments/tree.ts";
import { elementBytes, readElement } from "../elements.ts";
import type { ConstantSource, Job } from "../engine.ts";
import { MachineError } from "../errors.ts";
import { checkJob, loadConstants } from "../job.ts";
import { BYTES, type Program } from "../program.ts";
import { Evaluation } from "../reference/evaluation.ts";
import { assertWellFormed } from "../validate/wellFormed.ts";
import { firstNotOne } from "./firstFalse.ts";
import { foldAt, foldTensorBytes, placeOfElement, stageAt, stepsOf } from "./layout.ts";
import type { ElementAt, FoldTensor, Trace } from "./trace.ts";
import { traceOver } from "./tree.ts";

/** A tensor's elements, given instead of computed. */
export type GivenTensor = { of: FoldTensor; bytes: Uint8Array };

/**
 * The trace of a job by the reference, whole in memory: for small programs. Tensors that are `given` stand in place of
 * what the program computes, and whatever loads them is computed from them.
 * @throws `machine.malformed`, `machine.bad_job`, `machine.bad_constant`, `machine.bad_tensor`
 */
export function traceInMemory(
  program: Program,
  constants: ConstantSource,
  job: Job & { given?: readonly GivenTensor[] },
): Trace {
  assertWellFormed(program);
  checkJob(program, job);
  const { T, given = [] } = job;
  const loaded = loadConstants(program, constants);
  const evaluation = new Evaluation(program, { ...job, constant: (index) => loaded[index] ?? new Uint8Array(0) });
  for (const { of, bytes } of given) giveTensor(evaluation, program, { of, bytes, T });
  return traceFromTensors(program, T, ({ stage, fold, t }) => {
    const decl = stageAt(program, stage);
    const { type } = foldAt(program, stage, fold);
    if (decl.order === 2) return evaluation.bytes(stage, fold, t);
    const matrices = Array.from({ length: stepsOf(decl, T) }, (_, step) => evaluation.matrix(stage, fold, step));
    return elementBytes(type, decl.order === 0 ? matrices.flat() : timeInnermost(matrices));
  });
}

/** A trace over tensors that are given as bytes, each asked for once: what a program computed, or what a liar writes. */
export function traceFromTensors(program: Program, T: number, tensor: (of: FoldTensor) => Uint8Array): Trace {
  const tensors = new Map<string, { bytes: Uint8Array; levels: (readonly Uint8Array[])[] }>();
  const lists = new Map<string, (readonly Uint8Array[])[]>();
  const hashed = (of: FoldTensor): Uint8Array => {
    const bytes = tensor(of);
    const levels = levelsOf(tensorLeaves(bytes));
    tensors.set(tensorKey(of), { bytes, levels });
    return rootOf(levels);
  };
  const listed = (key: string, elements: Uint8Array[]): Uint8Array => {
    const levels = levelsOf(elements);
    lists.set(key, levels);
    return rootOf(levels);
  };
  listed(
    "stages 0 0",
    program.stages.map((decl, stage) => {
      if (decl.order !== 2) return hashed({ stage, fold: 0, t: 0 });
      const steps = Array.from({ length: stepsOf(decl, T) }, (_, t) =>
        listed(
          `folds ${stage} ${t}`,
          decl.folds.map((_, fold) => hashed({ stage, fold, t })),
        ),
      );
      return listed(`steps ${stage} 0`, steps);
    }),
  );
  const leaf = (of: FoldTensor, index: number): Uint8Array => {
    const bytes = tensors.get(tensorKey(of))?.bytes;
    if (!bytes || !Number.isInteger(index) || index < 0 || index * LEAF_BYTES >= bytes.length)
      throw new RangeError(`There is no leaf ${index} of stage ${of.stage}, fold ${of.fold}, step ${of.t}.`);
    return bytes.slice(index * LEAF_BYTES, (index + 1) * LEAF_BYTES);
  };
  return traceOver(
    {
      node: ({ list, stage, fold, t, height, index }) => {
        const levels =
          list === "leaves" ? tensors.get(tensorKey({ stage, fold, t }))?.levels : lists.get(`${list} ${stage} ${t}`);
        const found = levels?.[height]?.[index];
        if (!found) throw new RangeError(`There is no ${list} node ${index} at height ${height}.`);
        return found;
      },
      leaf,
      firstFalse: firstNotOne(program, T, leaf),
      close: () => undefined,
    },
    { program, T },
  );
}

/** Puts a tensor in the place of what an evaluation would compute. @throws `machine.bad_tensor` */
function giveTensor(evaluation: Evaluation, program: Program, { of, bytes, T }: GivenTensor & { T: number }): void {
  const { stage, fold } = of;
  const { type } = foldAt(program, stage, fold);
  const wanted = foldTensorBytes(program, of, T);
  if (bytes.length !== wanted) {
    const message = `A tensor of stage ${stage}, fold ${fold} has ${bytes.length} bytes, ${wanted} are wanted.`;
    throw new MachineError("machine.bad_tensor", message, { ...of, length: bytes.length, wanted });
  }
  const steps =
    stageAt(program, stage).order === 2
      ? [of.t]
      : Array.from({ length: stepsOf(stageAt(program, stage), T) }, (_, t) => t);
  for (const t of steps) {
    const { rows, cols } = evaluation.shape(stage, fold, t);
    const values = Array.from({ length: rows * cols }, (_, e) => {
      const at: ElementAt = { stage, fold, t, r: Math.floor(e / cols), c: e % cols };
      return readElement(type, bytes, placeOfElement(program, at, T).byte / BYTES[type]);
    });
    evaluation.give({ stage, fold, t }, values);
  }
}

const tensorKey = ({ stage, fold, t }: FoldTensor): string => `${stage} ${fold} ${t}`;
const rootOf = (levels: (readonly Uint8Array[])[]): Uint8Array => levels.at(-1)?.[0] ?? new Uint8Array(32);

/** [t][e] to [e][t]. */
const timeInnermost = (matrices: readonly bigint[][]): bigint[] =>
  (matrices[0] ?? []).flatMap((_, e) => matrices.map((matrix) => matrix[e] ?? 0n));
