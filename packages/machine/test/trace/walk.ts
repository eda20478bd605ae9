import { rootOfOpening } from "../../src/commitments/index.ts";
import { leafHash, nodeHash } from "../../src/hash.ts";
import {
  childAt,
  descendants,
  foldTensorBytes,
  isLeaf,
  leafCount,
  leafLength,
  type OpenedLeaves,
  type Position,
  type Program,
  rootPosition,
  stepsOf,
  type Trace,
} from "../../src/index.ts";
import type { FoldTensor } from "../../src/trace/trace.ts";

/** Every leaf of a trace, found from the root down as a game does; each revealed level is checked against its parent. */
export function walkedLeaves(program: Program, trace: Trace): Position[] {
  const leaves: Position[] = [];
  const visit = (at: Position, hash: Uint8Array): void => {
    if (isLeaf(at)) {
      const bytes = trace.leaf(at, at.index);
      if (bytes.length !== leafLength(at)) throw new Error(`a leaf of ${bytes.length} bytes at ${JSON.stringify(at)}`);
      if (!same(leafHash(bytes), hash)) throw new Error(`a leaf with another hash at ${JSON.stringify(at)}`);
      leaves.push(at);
      return;
    }
    const depth = Math.min(4, at.height);
    const { first } = descendants(at, depth);
    const children = trace.nodes(at, depth);
    if (!same(folded(children), hash)) throw new Error(`children of another node at ${JSON.stringify(at)}`);
    for (const [i, child] of children.entries()) visit(childAt(at, depth, first + i, { program, T: trace.T }), child);
  };
  const root = rootPosition(program);
  visit(root.height === 0 ? childAt(root, 0, 0, { program, T: trace.T }) : root, trace.root);
  return leaves;
}

/** The root that opened leaves lead to, through every list up to the trace's. */
export function rootOfOpened(
  program: Program,
  { of, first, opened, T }: { of: FoldTensor; first: number; opened: OpenedLeaves; T: number },
): Uint8Array | undefined {
  const { data, siblings } = opened;
  const nodes: Uint8Array[] = [];
  for (let at = 0; at < data.length; at += 1_024) nodes.push(leafHash(data.subarray(at, at + 1_024)));
  const stage = program.stages[of.stage];
  const above = { count: program.stages.length, first: of.stage };
  const lists =
    stage?.order === 2
      ? [{ count: stage.folds.length, first: of.fold }, { count: stepsOf(stage, T), first: of.t }, above]
      : [above];
  let used = 0;
  let reached: readonly Uint8Array[] = nodes;
  for (const list of [{ count: leafCount(foldTensorBytes(program, of, T)), first }, ...lists]) {
    const taken = siblingCount(list.count, list.first, reached.length);
    const root = rootOfOpening({ ...list, nodes: reached, siblings: siblings.slice(used, used + taken) });
    if (!root) return undefined;
    used += taken;
    reached = [root];
  }
  return used === siblings.length ? reached[0] : undefined;
}

function siblingCount(count: number, first: number, length: number): number {
  let siblings = 0;
  for (let [n, from, to] = [count, first, first + length - 1]; n > 1; n = (n + 1) >> 1, from >>= 1, to >>= 1)
    siblings += (from & 1) + (to % 2 === 0 && to + 1 < n ? 1 : 0);
  return siblings;
}

function folded(nodes: Uint8Array[]): Uint8Array {
  let level = nodes;
  while (level.length > 1) level = level.flatMap((left, i) => (i % 2 === 1 ? [] : [pair(left, level[i + 1])]));
  return level[0] ?? new Uint8Array(0);
}

const pair = (left: Uint8Array, right: Uint8Array | undefined) => (right ? nodeHash(left, right) : left);
export const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;
