import { LEAF_BYTES } from "../commitments/tensor.ts";
import { MachineError } from "../errors.ts";
import { BYTES, type Fold, type Program, type Stage, size, sizeAt } from "../program.ts";
import type { ElementAt, FoldTensor } from "./trace.ts";

/** Steps of a stage in a job of T steps. */
export const stepsOf = ({ steps }: Stage, T: number): number => sizeAt(steps, { t: 0, T });

/** A stage by its number. @throws `machine.bad_position` */
export function stageAt(program: Program, stage: number): Stage {
  const found = program.stages[stage];
  if (found) return found;
  const stages = program.stages.length;
  throw new MachineError("machine.bad_position", `There is no stage ${stage} among ${stages}.`, { stage, stages });
}

/** A fold by its numbers. @throws `machine.bad_position` */
export function foldAt(program: Program, stage: number, fold: number): Fold {
  const { folds } = stageAt(program, stage);
  const found = folds[fold];
  if (found) return found;
  const message = `There is no fold ${fold} among ${folds.length} of stage ${stage}.`;
  throw new MachineError("machine.bad_position", message, { stage, fold, folds: folds.length });
}

/** Bytes of the tensor that holds elements of a fold, in a job of T steps: of the whole stage, or of one step of a loop. */
export function foldTensorBytes(program: Program, { stage, fold, t }: FoldTensor, T: number): number {
  const decl = stageAt(program, stage);
  const { rows, cols, type } = foldAt(program, stage, fold);
  const R = sizeAt(rows, { t, T });
  if (decl.order === 2) return R * sizeAt(cols, { t, T }) * BYTES[type];
  const S = stepsOf(decl, T);
  const columns = size.kind(cols) === 2 ? (S * (S + 1)) / 2 : S * sizeAt(cols, { t: 0, T });
  return R * columns * BYTES[type];
}

/** Leaves of a tensor of so many bytes. */
export const leafCount = (tensorBytes: number): number => Math.ceil(tensorBytes / LEAF_BYTES);

/** Where an element lies: its tensor, its number in it, and the byte at which it starts. */
export type ElementPlace = { of: FoldTensor; element: number; byte: number; leaf: number };

/** @throws `machine.bad_position` for a stage, fold, step, row or column that does not exist */
export function placeOfElement(program: Program, { stage, fold, t, r, c }: ElementAt, T: number): ElementPlace {
  const decl = stageAt(program, stage);
  const { rows, cols, type } = foldAt(program, stage, fold);
  const S = stepsOf(decl, T);
  const [R, C] = [sizeAt(rows, { t, T }), sizeAt(cols, { t, T })];
  for (const [name, value, count] of [
    ["step", t, S],
    ["row", r, R],
    ["column", c, C],
  ] as const)
    if (!Number.isInteger(value) || value < 0 || value >= count)
      throw new MachineError("machine.bad_position", `There is no ${name} ${value} among ${count}.`, {
        stage,
        fold,
        [name]: value,
        count,
      });
  const isHistory = size.kind(cols) === 2;
  const element =
    decl.order === 1
      ? (r * C + c) * S + t
      : decl.order === 2
        ? r * C + c
        : isHistory
          ? (R * t * (t + 1)) / 2 + r * (t + 1) + c
          : (t * R + r) * C + c;
  const byte = element * BYTES[type];
  const of = decl.order === 2 ? { stage, fold, t } : { stage, fold: 0, t: 0 };
  return { of, element, byte, leaf: Math.floor(byte / LEAF_BYTES) };
}

/** The element of a fold that is number `element` of its tensor. */
export function elementOfPlace(
  program: Program,
  of: FoldTensor,
  { element, T }: { element: number; T: number },
): ElementAt {
  const { stage } = of;
  const decl = stageAt(program, stage);
  const { rows, cols } = foldAt(program, stage, of.fold);
  const S = stepsOf(decl, T);
  const R = sizeAt(rows, { t: 0, T });
  if (decl.order === 1) {
    const C = sizeAt(cols, { t: 0, T });
    const e = Math.floor(element / S);
    return { stage, fold: 0, t: element % S, r: Math.floor(e / C), c: e % C };
  }
  let [t, e] = [of.t, element];
  if (decl.order === 0 && size.kind(cols) === 2) {
    // R t (t+1) / 2 elements lie before step t; the root is only a first guess, since it is rounded
    t = Math.floor((Math.sqrt(1 + (8 * element) / R) - 1) / 2);
    while ((R * t * (t + 1)) / 2 > element) t--;
    while ((R * (t + 1) * (t + 2)) / 2 <= element) t++;
    e = element - (R * t * (t + 1)) / 2;
  } else if (decl.order === 0) {
    const C = sizeAt(cols, { t: 0, T });
    t = Math.floor(element / (R * C));
    e = element - t * R * C;
  }
  const C = sizeAt(cols, { t, T });
  return { stage, fold: of.fold, t, r: Math.floor(e / C), c: e % C };
}
