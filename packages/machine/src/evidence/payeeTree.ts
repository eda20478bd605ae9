import { siblingsOf } from "../commitments/tree.ts";
import { MachineError } from "../errors.ts";
import type { Program } from "../program.ts";
import { leavesPosition } from "../trace/position.ts";
import type { FoldTensor, OpenedLeaves, Trace } from "../trace/trace.ts";
import { listsAbove } from "../trace/tree.ts";
import type { NodeAt, RevealedNodes } from "./revealedNodes.ts";

/** The first leaf in which a payee's trace differs from one's own, with the bytes that the payee has shown. */
export type DifferingLeaf = { of: FoldTensor; index: number; data: Uint8Array };

/**
 * What a challenger knows of the payee's trace: its own trace, and, unless the roots are equal, what the payee has shown on
 * the way to the first leaf that differs. Everything left of that leaf is the same in both.
 */
export type PayeeTree = { trace: Trace; theirs?: { nodes: RevealedNodes; leaf: DifferingLeaf } };

type LeafRange = { of: FoldTensor; first: number; length: number };

/**
 * Opens leaves in the payee's tree.
 * @throws `machine.evidence_missing` for a node that is not left of the differing leaf and has not been shown
 */
export function openInPayeeTree(
  program: Program,
  { trace, theirs }: PayeeTree,
  { of, first, length }: LeafRange,
): OpenedLeaves {
  const own = trace.open(of, first, length);
  if (!theirs) return own;
  const { leaf, nodes } = theirs;
  const isTheirs = isSameTensor(of, leaf.of) && first === leaf.index && length === 1;
  const siblings = pathOf(program, { of, first, length, T: trace.T }).map((at, i) => {
    const node = isLeftOf(at, leaf) ? own.siblings[i] : nodes.node(at);
    if (node) return node;
    throw new MachineError("machine.evidence_missing", `The payee has not shown ${at.list} node ${at.index}.`, at);
  });
  return { data: isTheirs ? leaf.data : own.data, siblings };
}

/** Where the siblings of adjacent leaves lie, from the leaves up through every list to the trace root. */
export function pathOf(program: Program, { of, first, length, T }: LeafRange & { T: number }): NodeAt[] {
  const leaves = leavesPosition(program, of, T);
  const lists = [
    { list: leaves, first, length },
    ...listsAbove(program, of, T).map(({ list, element }) => ({ list, first: element, length: 1 })),
  ];
  return lists.flatMap(({ list: { list, stage, t, fold, length: count }, first, length }) =>
    [...siblingsOf({ first, length, count })].map((node) => ({ list, stage, t, fold, ...node })),
  );
}

/** Whether all that a node commits to lies left of a leaf. */
function isLeftOf({ list, height, index, stage, t, fold }: NodeAt, { of, index: leaf }: DifferingLeaf): boolean {
  const last = (index + 1) * 2 ** height - 1;
  const node = { stages: [last], steps: [stage, last], folds: [stage, t, last], leaves: [stage, t, fold, last] }[list];
  const bound = [of.stage, of.t, of.fold, leaf];
  const differing = node.findIndex((part, i) => part !== bound[i]);
  return differing >= 0 && (node[differing] ?? 0) < (bound[differing] ?? 0);
}

const isSameTensor = (a: FoldTensor, b: FoldTensor): boolean => a.stage === b.stage && a.t === b.t && a.fold === b.fold;
