import { HASH_BYTES, siblingsOf } from "../commitments/tree.ts";
import { nodeHash } from "../hash.ts";

/** A list of nodes with every level above it, so that any part of it is opened without hashing it again. */
export class HashTree {
  /** From the list up to its root; the nodes of a level one after the other. */
  readonly #levels: Uint8Array[];

  constructor(nodes: readonly Uint8Array[]) {
    let level = new Uint8Array(nodes.length * HASH_BYTES);
    for (const [i, node] of nodes.entries()) level.set(node, i * HASH_BYTES);
    this.#levels = [level];
    for (let count = nodes.length; count > 1; count = (count + 1) >> 1) {
      level = levelAbove(level, count);
      this.#levels.push(level);
    }
  }

  /** 32 zero bytes where the list is empty. */
  get root(): Uint8Array {
    const top = this.#levels.at(-1);
    return top?.length === HASH_BYTES ? top : new Uint8Array(HASH_BYTES);
  }

  node(height: number, index: number): Uint8Array {
    const node = this.#levels[height]?.slice(index * HASH_BYTES, (index + 1) * HASH_BYTES);
    if (node?.length !== HASH_BYTES) throw new RangeError(`There is no node ${index} at height ${height}.`);
    return node;
  }

  /** What leads from adjacent nodes of the list to its root, bottom up. */
  siblings(first: number, length = 1): Uint8Array[] {
    const count = (this.#levels[0]?.length ?? 0) / HASH_BYTES;
    return [...siblingsOf({ first, length, count })].map(({ height, index }) => this.node(height, index));
  }
}

function levelAbove(level: Uint8Array, count: number): Uint8Array<ArrayBuffer> {
  const above = new Uint8Array(((count + 1) >> 1) * HASH_BYTES);
  const node = (i: number) => level.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES);
  for (let i = 0; i < count; i += 2)
    above.set(i + 1 < count ? nodeHash(node(i), node(i + 1)) : node(i), (i / 2) * HASH_BYTES);
  return above;
}
