import { sha256 } from "../hash.ts";
import { HASH_BYTES, listRoot } from "./tree.ts";

/** A tensor's bytes are cut every 1,024; the last leaf is shorter. */
export const LEAF_BYTES = 1_024;

/** Hashes leaves as bytes arrive, in pieces of any length: a tensor need not be in memory at once. */
export class TensorHasher {
  readonly #message = new Uint8Array(1 + LEAF_BYTES); // prefix 00, then the leaf
  readonly #leaves: Uint8Array[] = [];
  #filled = 0;

  update(bytes: Uint8Array): this {
    for (let at = 0; at < bytes.length; ) {
      const taken = Math.min(LEAF_BYTES - this.#filled, bytes.length - at);
      this.#message.set(bytes.subarray(at, at + taken), 1 + this.#filled);
      this.#filled += taken;
      at += taken;
      if (this.#filled === LEAF_BYTES) this.#close();
    }
    return this;
  }

  /** The hashes of all leaves. Nothing may be added afterwards. */
  leaves(): Uint8Array[] {
    if (this.#filled > 0) this.#close();
    return this.#leaves;
  }

  root(): Uint8Array {
    return rootOfLeaves(this.leaves());
  }

  #close(): void {
    this.#leaves.push(sha256(this.#message.subarray(0, 1 + this.#filled)));
    this.#filled = 0;
  }
}

/** The hashes of a tensor's leaves, in order. */
export const tensorLeaves = (bytes: Uint8Array): Uint8Array[] => new TensorHasher().update(bytes).leaves();

/** Root of a tensor given as its bytes. */
export const tensorRoot = (bytes: Uint8Array): Uint8Array => new TensorHasher().update(bytes).root();

/** Like `listRoot`, in one buffer: a large tensor has some hundred thousand leaves. */
function rootOfLeaves(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length < 1_024) return listRoot(leaves);
  const level = new Uint8Array(leaves.length * HASH_BYTES);
  for (const [i, leaf] of leaves.entries()) level.set(leaf, i * HASH_BYTES);
  const message = new Uint8Array(1 + 2 * HASH_BYTES);
  message[0] = 1;
  for (let count = leaves.length; count > 1; count = (count + 1) >> 1) {
    for (let i = 0; i + 1 < count; i += 2) {
      message.set(level.subarray(i * HASH_BYTES, (i + 2) * HASH_BYTES), 1);
      level.set(sha256(message), (i / 2) * HASH_BYTES);
    }
    if (count % 2 === 1) level.copyWithin(((count - 1) / 2) * HASH_BYTES, (count - 1) * HASH_BYTES, count * HASH_BYTES);
  }
  return level.slice(0, HASH_BYTES);
}
