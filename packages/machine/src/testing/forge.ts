import { LEAF_BYTES } from "../commitments/tensor.ts";
import { leafHash, nodeHash } from "../hash.ts";
import type { Program } from "../program.ts";
import { firstNotOne } from "../trace/firstFalse.ts";
import { traceInMemory } from "../trace/inMemory.ts";
import { leavesPosition, nodesAt, type Position, positionKey } from "../trace/position.ts";
import type { FoldTensor, Trace } from "../trace/trace.ts";
import { listsAbove, traceOver } from "../trace/tree.ts";
import type { RandomJob } from "./randomProgram.ts";

/** Bytes that a liar puts in the place of a leaf. They may have another length. */
export type ForgedLeaf = { of: FoldTensor; index: number; bytes: Uint8Array };

/**
 * A trace with some leaves replaced and the nodes above them hashed anew, and nothing else recomputed. It holds the changed
 * nodes only and asks the honest trace for all others, so it is as cheap over the trace of a real model.
 */
export function forge(
  honest: Trace,
  { program, changes }: { program: Program; changes: readonly ForgedLeaf[] },
): Trace {
  const { T } = honest;
  const nodes = new Map<string, Uint8Array>();
  const leaves = new Map<string, Uint8Array>();
  const node = (at: Position): Uint8Array => nodes.get(positionKey(at)) ?? (honest.nodes(at, 0)[0] as Uint8Array);

  /** Hashes the ancestors of one element of a list; returns the list's root. */
  const rehash = (list: Position, element: number): Uint8Array => {
    for (let height = 1, index = element >> 1; height <= list.height; height++, index >>= 1) {
      const child = (at: number) => node({ ...list, height: height - 1, index: at });
      const isPair = index * 2 + 1 < nodesAt(list.length, height - 1);
      const hash = isPair ? nodeHash(child(index * 2), child(index * 2 + 1)) : child(index * 2);
      nodes.set(positionKey({ ...list, height, index }), hash);
    }
    return node({ ...list, index: 0 });
  };

  for (const { of, index, bytes } of changes) {
    const list = leavesPosition(program, of, T);
    if (index >= list.length) throw new RangeError(`There is no leaf ${index} among ${list.length}.`);
    const leaf = { ...list, height: 0, index };
    leaves.set(positionKey(leaf), bytes.slice());
    nodes.set(positionKey(leaf), leafHash(bytes));
    let root = rehash(list, index);
    for (const above of listsAbove(program, of, T)) {
      nodes.set(positionKey({ ...above.list, height: 0, index: above.element }), root);
      root = rehash(above.list, above.element);
    }
  }

  const leaf = (of: FoldTensor, index: number): Uint8Array =>
    leaves.get(positionKey({ ...leavesPosition(program, of, T), height: 0, index }))?.slice() ?? honest.leaf(of, index);
  const last = program.stages.length - 1;
  const firstFalse = changes.some(({ of }) => of.stage === last) ? firstNotOne(program, T, leaf) : honest.firstFalse;
  return traceOver({ node, leaf, firstFalse, close: () => honest.close() }, { program, T });
}

/**
 * The trace of a job in which one leaf is a lie and everything that loads it is computed from the lie, by the reference.
 * The bytes must have the leaf's length.
 */
export function forgeOnward(
  honest: Trace,
  { program, constants, job, change }: RandomJob & { change: ForgedLeaf },
): Trace {
  const { of, index } = change;
  const leaves = leavesPosition(program, of, honest.T).length;
  const bytes = new Uint8Array(leavesPosition(program, of, honest.T).tensorBytes);
  for (let leaf = 0; leaf < leaves; leaf++)
    bytes.set(leaf === index ? change.bytes : honest.leaf(of, leaf), leaf * LEAF_BYTES);
  const source = (constant: number) => constants[constant] ?? new Uint8Array(0);
  return traceInMemory(program, source, { ...job, given: [{ of, bytes }] });
}
