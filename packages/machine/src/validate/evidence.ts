import { LEAF_BYTES } from "../commitments/tensor.ts";
import { HASH_BYTES } from "../commitments/tree.ts";
import type { Load } from "../expression.ts";
import { BYTES, type ElementType, type Fold, type Program, sizeAt, tensorAt } from "../program.ts";
import { largestTensorBytes } from "./wellFormed.ts";

/** What an opening and a record take in a refutation besides their own bytes and paths. */
const OPENING_BYTES = 320;
const RECORD_OVERHEAD_BYTES = 192;
const TENSOR_RECORD_BYTES = 9;

/** Length of the longest path in a list of at most 2^31: the bits of the last index. */
const pathLength = (count: number): number => 32 - Math.clz32(count - 1);

/** Bytes of an opening: of one leaf, or of the leaves that a run of elements may touch. */
export type OpeningBytes = { fixed: number; run: (terms: number) => number };

export type Evidence = {
  /** Opening an element of a fold. */
  fold: (stage: number, fold: number) => OpeningBytes;
  /** Opening what a load of a stage reads. */
  of: (load: Load, stage: number) => OpeningBytes;
  /** Each record that a refutation shows: the stage's own and those of its operands, once each. */
  records: (loads: readonly Load[], stage: number) => number[];
};

/** Bytes of evidence for refuting an element at T = maxT. */
export function evidenceOf(program: Program): Evidence {
  const lists = [program.requests, program.claimed, program.constants];
  const lengths = lists.flatMap((list) => list.map(() => list.length));
  const records = lengths.length + program.stages.length;
  const at = { t: 0, T: program.maxT };

  const opening = (type: ElementType, bytes: number, above: number): OpeningBytes => {
    const leaves = Math.ceil(bytes / LEAF_BYTES);
    const path = pathLength(leaves);
    return {
      fixed: OPENING_BYTES + LEAF_BYTES + HASH_BYTES * (path + above),
      run: (terms) => {
        const touched = Math.min(leaves, Math.ceil((terms * BYTES[type] + LEAF_BYTES) / LEAF_BYTES));
        return OPENING_BYTES + LEAF_BYTES * touched + HASH_BYTES * (2 * path + above);
      },
    };
  };
  const ofFold = (stage: number, fold: number): OpeningBytes => {
    const holder = program.stages[stage];
    const decl: Fold | undefined = holder?.folds[fold];
    if (!holder || !decl) throw new RangeError(`There is no fold ${fold} in stage ${stage}.`);
    const inLoop = holder.order === 2 ? pathLength(holder.folds.length) + pathLength(sizeAt(holder.steps, at)) : 0;
    return opening(
      decl.type,
      Number(largestTensorBytes(program, holder, decl)),
      pathLength(program.stages.length) + inLoop,
    );
  };
  const ofTensor = (tensor: number): OpeningBytes => {
    const decl = tensorAt(program, tensor);
    if (!decl) throw new RangeError(`There is no tensor ${tensor}.`);
    return opening(
      decl.type,
      sizeAt(decl.rows, at) * sizeAt(decl.cols, at) * BYTES[decl.type],
      pathLength(lengths[tensor] ?? 1),
    );
  };
  const record = (bytes: number) => bytes + HASH_BYTES * pathLength(records) + RECORD_OVERHEAD_BYTES;
  const stageRecord = (stage: number) => record(5 + 41 * (program.stages[stage]?.folds.length ?? 0));

  return {
    fold: ofFold,
    of: (load, stage) => {
      if (load.op === "tensor") return ofTensor(load.tensor);
      return load.op === "fold" ? ofFold(load.stage, load.fold) : ofFold(stage, load.fold);
    },
    records: (loads, stage) => {
      const stages = new Set([stage, ...loads.flatMap((load) => (load.op === "fold" ? [load.stage] : []))]);
      const named = new Set(loads.flatMap((load) => (load.op === "tensor" ? [load.tensor] : [])));
      return [...[...stages].map(stageRecord), ...[...named].map(() => record(TENSOR_RECORD_BYTES))];
    },
  };
}
