import { LEAF_BYTES } from "../commitments/tensor.ts";
import { BYTES, type ElementType, type Program } from "../program.ts";
import { elementOfPlace, foldAt, foldTensorBytes, leafCount, stageAt, stepsOf } from "./layout.ts";
import type { ElementAt, FoldTensor } from "./trace.ts";

/** The first element of the last stage, in the order of its bytes, that is not 1; undefined where all are. */
export function firstNotOne(
  program: Program,
  T: number,
  leaf: (of: FoldTensor, index: number) => Uint8Array,
): ElementAt | undefined {
  const stage = program.stages.length - 1;
  for (const of of tensorsOfStage(program, stage, T)) {
    const { type } = foldAt(program, stage, of.fold);
    const leaves = leafCount(foldTensorBytes(program, of, T));
    for (let index = 0; index < leaves; index++) {
      const within = firstElementNotOne(type, leaf(of, index));
      if (within === undefined) continue;
      const element = (index * LEAF_BYTES) / BYTES[type] + within;
      return elementOfPlace(program, of, { element, T });
    }
  }
  return undefined;
}

/** The tensors of a stage, in their order in the tree. */
export function* tensorsOfStage(program: Program, stage: number, T: number): Generator<FoldTensor> {
  const decl = stageAt(program, stage);
  if (decl.order !== 2) yield { stage, fold: 0, t: 0 };
  else for (let t = 0; t < stepsOf(decl, T); t++) for (const fold of decl.folds.keys()) yield { stage, fold, t };
}

/** Number of the first element among these that is not 1. */
function firstElementNotOne(type: ElementType, bytes: Uint8Array): number | undefined {
  const width = BYTES[type];
  const at = bytes.findIndex((byte, i) => byte !== (i % width === 0 ? 1 : 0));
  return at < 0 ? undefined : Math.floor(at / width);
}
