import { LEAF_BYTES, tensorLeaves } from "../commitments/tensor.ts";
import type { OpenedLeaves } from "../trace/trace.ts";
import { HashTree } from "./hashTree.ts";

/**
 * The tensors under one of a statement's roots. Hashes each tensor once, the first time that anything is opened: keep the
 * one of a model's constants for all its disputes.
 */
export class CommittedTensors {
  readonly #count: number;
  readonly #source: (index: number) => Uint8Array;
  #trees: { tensors: HashTree[]; list: HashTree } | undefined;

  /** `source` gives the bytes of a tensor, as often as it is asked. */
  constructor(count: number, source: (index: number) => Uint8Array) {
    this.#count = count;
    this.#source = source;
  }

  static of(tensors: readonly Uint8Array[]): CommittedTensors {
    return new CommittedTensors(tensors.length, (index) => tensors[index] ?? new Uint8Array(0));
  }

  /** `weightsRoot`, `requestRoot` or `claimedRoot`. */
  get root(): Uint8Array {
    return this.#hashed().list.root;
  }

  bytes(tensor: number): Uint8Array {
    if (tensor < 0 || tensor >= this.#count) throw new RangeError(`There is no tensor ${tensor} of ${this.#count}.`);
    return this.#source(tensor);
  }

  /** Adjacent leaves of a tensor, with their siblings up to the root of all tensors. */
  open(tensor: number, first: number, length: number): OpenedLeaves {
    const { tensors, list } = this.#hashed();
    const tree = tensors[tensor];
    if (!tree) throw new RangeError(`There is no tensor ${tensor} of ${this.#count}.`);
    const data = this.bytes(tensor).slice(first * LEAF_BYTES, (first + length) * LEAF_BYTES);
    return { data, siblings: [...tree.siblings(first, length), ...list.siblings(tensor)] };
  }

  #hashed(): { tensors: HashTree[]; list: HashTree } {
    if (this.#trees) return this.#trees;
    const tensors = Array.from({ length: this.#count }, (_, index) => new HashTree(tensorLeaves(this.bytes(index))));
    this.#trees = { tensors, list: new HashTree(tensors.map(({ root }) => root)) };
    return this.#trees;
  }
}
