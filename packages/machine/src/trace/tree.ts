import { siblingsOf } from "../commitments/tree.ts";
import type { Program } from "../program.ts";
import { stageAt } from "./layout.ts";
import { descendants, foldsPosition, leavesPosition, type Position, rootPosition, stepsPosition } from "./position.ts";
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

/** Where the siblings lie that lead from adjacent elements of a list to its root. */
const siblingsIn = (list: Position, { first, length }: { first: number; length: number }): Position[] =>
  [...siblingsOf({ first, length, count: list.length })].map((at) => ({ ...list, ...at }));

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
  const siblings = siblingsIn(leaves, { first, length });
  for (const { list, element } of listsAbove(program, of, T))
    siblings.push(...siblingsIn(list, { first: element, length: 1 }));
  const parts = Array.from({ length }, (_, i) => leaf(of, first + i));
  const data = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    data.set(part, at);
    at += part.length;
  }
  return { data, siblings: siblings.map(node) };
}
