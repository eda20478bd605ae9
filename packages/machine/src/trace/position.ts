import { LEAF_BYTES } from "../commitments/tensor.ts";
import { MachineError } from "../errors.ts";
import type { Program } from "../program.ts";
import { foldTensorBytes, leafCount, stageAt, stepsOf } from "./layout.ts";
import type { FoldTensor } from "./trace.ts";

/** The lists of a trace, from its root down: stages; of a loop its steps, of a step its folds; leaves of a tensor. */
export type List = "stages" | "steps" | "folds" | "leaves";

/**
 * A node of a trace's tree. Height 0 is an element of its list; what lies below it is the next list's root. `stage`, `t` and
 * `fold` say what has been entered so far and are 0 before; `tensorBytes` is 0 but among leaves.
 */
export type Position = {
  list: List;
  height: number;
  index: number;
  length: number;
  stage: number;
  t: number;
  fold: number;
  tensorBytes: number;
};

/** Levels above the elements of a list: 0 for a list of one. */
export const heightOf = (length: number): number => (length <= 1 ? 0 : 32 - Math.clz32(length - 1));

/** Nodes of a list at a height: halves, rounded up, again and again. */
export const nodesAt = (length: number, height: number): number => Math.ceil(length / 2 ** height);

/** Where every game starts: the root of the list of stages. */
export const rootPosition = (program: Program): Position => rootOf("stages", program.stages.length, {});

/** The root of a loop's list of steps. */
export const stepsPosition = (program: Program, stage: number, T: number): Position =>
  rootOf("steps", stepsOf(stageAt(program, stage), T), { stage });

/** The root of the list of folds of one step of a loop. */
export const foldsPosition = (program: Program, stage: number, t: number): Position =>
  rootOf("folds", stageAt(program, stage).folds.length, { stage, t });

/** The root of a tensor's list of leaves. */
export function leavesPosition(program: Program, of: FoldTensor, T: number): Position {
  const tensorBytes = foldTensorBytes(program, of, T);
  return rootOf("leaves", leafCount(tensorBytes), { ...of, tensorBytes });
}

/** The nodes of one list that lie `depth` levels under a position: `first .. first + count - 1` at `height`. */
export function descendants(position: Position, depth: number): { height: number; first: number; count: number } {
  if (!Number.isInteger(depth) || depth < 0 || depth > position.height)
    throw badPosition(`${depth} levels under a node of height ${position.height} lies nothing of its list.`, {
      depth,
      height: position.height,
    });
  const height = position.height - depth;
  const first = position.index * 2 ** depth;
  const end = Math.min((position.index + 1) * 2 ** depth, nodesAt(position.length, height));
  return { height, first, count: end - first };
}

/**
 * The position of a node `depth` levels under another, `index` among the nodes of its height. An element of a list that
 * holds lists is entered at once, and so is every list of one under it: what is left is a node with children, or a leaf.
 * @throws `machine.bad_position` where `index` does not lie under the position
 */
export function childAt(
  position: Position,
  depth: number,
  index: number,
  { program, T }: { program: Program; T: number },
): Position {
  const { height, first, count } = descendants(position, depth);
  if (!Number.isInteger(index) || index < first || index >= first + count)
    throw badPosition(`Node ${index} is none of ${count} from ${first}.`, { index, first, count });
  let at: Position = { ...position, height, index };
  while (at.height === 0 && at.list !== "leaves") at = enter(program, at, T);
  return at;
}

/** Whether a position is a leaf: bytes, not a node. */
export const isLeaf = ({ list, height }: Position): boolean => list === "leaves" && height === 0;

/** Bytes of the leaf at a position. @throws `machine.bad_position` where it is none */
export function leafLength(position: Position): number {
  if (!isLeaf(position))
    throw badPosition(`A ${position.list} node of height ${position.height} is no leaf.`, position);
  return Math.min(LEAF_BYTES, position.tensorBytes - position.index * LEAF_BYTES);
}

/** Tells positions of one trace apart. */
export const positionKey = ({
  list,
  height,
  index,
  stage,
  t,
  fold,
}: Omit<Position, "length" | "tensorBytes">): string => `${list} ${stage} ${t} ${fold} ${height} ${index}`;

/** The root of the list that an element of another list stands for. */
function enter(program: Program, { list, index, stage, t }: Position, T: number): Position {
  if (list === "folds") return leavesPosition(program, { stage, fold: index, t }, T);
  if (list === "steps") return foldsPosition(program, stage, index);
  return stageAt(program, index).order === 2
    ? stepsPosition(program, index, T)
    : leavesPosition(program, { stage: index, fold: 0, t: 0 }, T);
}

const rootOf = (list: List, length: number, entered: Partial<Position>): Position => ({
  stage: 0,
  t: 0,
  fold: 0,
  tensorBytes: 0,
  ...entered,
  list,
  height: heightOf(length),
  index: 0,
  length,
});

const badPosition = (message: string, details: Record<string, unknown>) =>
  new MachineError("machine.bad_position", message, details);
