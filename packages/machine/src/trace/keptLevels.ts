import { HASH_BYTES, parents } from "../commitments/tree.ts";
import { nodeHash } from "../hash.ts";

/** The nodes of a list from a height up, or from its root if that is lower: what is under them is computed again. */
export type KeptLevels = {
  /** Height of the lowest level that is kept. */
  base: number;
  root: Uint8Array;
  /** Undefined under `base` and beyond the list. */
  node(height: number, index: number): Uint8Array | undefined;
};

/**
 * Takes the nodes of a list from left to right, single or as roots of whole subtrees, and keeps those of one height. It
 * holds one pending node for each height, like the digits of a counter.
 */
export class LevelBuilder {
  readonly #keep: number;
  readonly #pending: (Uint8Array | undefined)[] = [];
  readonly #kept: Uint8Array[] = [];

  constructor(keep: number) {
    this.#keep = keep;
  }

  /** The next node: the root of a full subtree of this height, which is at most the kept one. */
  push(hash: Uint8Array, height: number): void {
    let [node, at] = [hash, height];
    while (at < this.#keep) {
      const left = this.#pending[at];
      if (left === undefined) {
        this.#pending[at] = node;
        return;
      }
      this.#pending[at] = undefined;
      node = nodeHash(left, node);
      at++;
    }
    this.#kept.push(node);
  }

  /** No node follows. An unpaired last node moves up unchanged. `height` is that of the whole list. */
  finish(height: number): KeptLevels {
    let last: Uint8Array | undefined;
    for (const left of this.#pending) if (left !== undefined) last = last === undefined ? left : nodeHash(left, last);
    if (last !== undefined) this.#kept.push(last);
    const base = Math.min(this.#keep, height);
    const levels = [packed(this.#kept)];
    for (let level: readonly Uint8Array[] = this.#kept; level.length > 1; levels.push(packed(level)))
      level = parents(level);
    const node = (at: number, index: number): Uint8Array | undefined => {
      const level = levels[at - base];
      if (level === undefined || index < 0 || (index + 1) * HASH_BYTES > level.length) return undefined;
      return level.slice(index * HASH_BYTES, (index + 1) * HASH_BYTES);
    };
    return { base, root: node(base + levels.length - 1, 0) ?? new Uint8Array(HASH_BYTES), node };
  }
}

/** One buffer instead of one object a node. */
function packed(level: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(level.length * HASH_BYTES);
  for (const [i, node] of level.entries()) bytes.set(node, i * HASH_BYTES);
  return bytes;
}
