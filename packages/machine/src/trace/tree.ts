import { parents } from "../commitments/tree.ts";
import type { Program } from "../program.ts";
import { stageAt } from "./layout.ts";
import {
  descendants,
  foldsPosition,
  leavesPosition,
  nodesAt,
  type Position,
  rootPosition,
  stepsPosition,
} from "./position.ts";
import type { ElementAt, FoldTensor, OpenedLeaves, Trace } from "./trace.ts";

/** What a trace holds: one node by its position, and the bytes of a leaf. */
export type TraceNodes = {
  node(at: Position): Uint8Array;
  leaf(of: FoldTensor, index: number): Uint8Array;
  firstFalse: ElementAt | undefined;
  close(): void;
};

/** A trace over anything that can tell its nodes and leaves. */
export function traceOver(
  { node, leaf, firstFalse, close }: TraceNodes,
  { program, T }: { program: Program; T: number },
): Trace {
  const normal = (of: FoldTensor): FoldTensor => normalTensor(program, of);
  return {
    T,
    root: node(rootPosition(program)),
    firstFalse,
    nodes: (under, depth) => {
      const { height, first, count } = descendants(under, depth);
      return Array.from({ length: count }, (_, i) => node({ ...under, height, index: first + i }));
    },
    leaf: (of, index) => leaf(normal(of), index),
    open: (of, first, length) => openLeaves({ node, leaf }, { program, T, of: normal(of), first, length }),
    close,
  };
}

/** Orders 0 and 1 have one tensor for a stage, whichever step is meant. */
const normalTensor = (program: Program, { stage, fold, t }: FoldTensor): FoldTensor =>
  stageAt(program, stage).order === 2 ? { stage, fold, t } : { stage, fold: 0, t: 0 };

/** Positions of the lists around a tensor, bottom up, with the element of each that leads to it. */
export function listsAbove(program: Program, of: FoldTensor, T: number): { list: Position; element: number }[] {
  const { stage, t, fold } = of;
  const stages = { list: rootPosition(program), element: stage };
  if (stageAt(program, stage).order !== 2) return [stages];
  const folds = { list: foldsPosition(program, stage, t), element: fold };
  return [folds, { list: stepsPosition(program, stage, T), element: t }, stages];
}

function openLeaves(
  { node, leaf }: Pick<TraceNodes, "node" | "leaf">,
  { program, T, of, first, length }: { program: Program; T: number; of: FoldTensor; first: number; length: number },
): OpenedLeaves {
  const leaves = leavesPosition(program, of, T);
  if (
    !Number.isInteger(first) ||
    !Number.isInteger(length) ||
    first < 0 ||
    length < 1 ||
    first + length > leaves.length
  )
    throw new RangeError(`${length} leaves from ${first} are no range of ${leaves.length}.`);
  const parts = Array.from({ length }, (_, i) => leaf(of, first + i));
  const data = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  const siblings = siblingsOf(node, leaves, { first, length });
  for (const { list, element } of listsAbove(program, of, T))
    siblings.push(...siblingsOf(node, list, { first: element, length: 1 }));
  return { data, siblings };
}

/** The siblings that lead from adjacent elements of a list to its root, in the order of `openRange`. */
function siblingsOf(
  node: TraceNodes["node"],
  list: Position,
  { first, length }: { first: number; length: number },
): Uint8Array[] {
  const siblings: Uint8Array[] = [];
  let [from, to] = [first, first + length - 1];
  for (let height = 0; height < list.height; height++) {
    if (from % 2 === 1) siblings.push(node({ ...list, height, index: from - 1 }));
    if (to % 2 === 0 && to + 1 < nodesAt(list.length, height)) siblings.push(node({ ...list, height, index: to + 1 }));
    from >>= 1;
    to >>= 1;
  }
  return siblings;
}

/** Every level of a list from its elements up; the last has the root alone. */
export function levelsOf(elements: Uint8Array[]): Uint8Array[][] {
  const levels = [elements];
  for (let level = elements; level.length > 1; levels.push(level)) level = parents(level);
  return levels;
}
