import { LEAF_BYTES } from "../commitments/tensor.ts";
import { HASH_BYTES } from "../commitments/tree.ts";
import { leafHash } from "../hash.ts";
import type { HashLanes } from "./hashLanes.ts";
import { type KeptLevels, LevelBuilder } from "./keptLevels.ts";
import { heightOf } from "./position.ts";

/** Leaves of a group: the lanes hash four at a time. */
const GROUP_LEAVES = 4;
/** Leaf hashes that are turned into nodes at once: four subtrees of sixteen leaves, a lane each to the end. */
const BATCH_LEAVES = 64;
/** Height of the nodes that come out of a batch; no level under it is ever kept. */
export const BATCH_HEIGHT = 4;

/** Hashes one tensor as its bytes come, in pieces of any length. Its buffers can serve another tensor after that. */
export class TensorStream {
  readonly #lanes: HashLanes;
  /** Four leaves, then the hashes of a batch. */
  readonly #data: number;
  readonly #hashes: number;
  #levels: LevelBuilder;
  #filled = 0;
  #pending = 0;
  #leaves = 0;

  /** `keep` is the height of the lowest level that is kept, at least BATCH_HEIGHT. */
  constructor(lanes: HashLanes, keep: number) {
    this.#lanes = lanes;
    this.#data = lanes.allocate(GROUP_LEAVES * LEAF_BYTES);
    this.#hashes = lanes.allocate(BATCH_LEAVES * HASH_BYTES);
    this.#levels = new LevelBuilder(keep);
  }

  update(bytes: Uint8Array): void {
    const room = GROUP_LEAVES * LEAF_BYTES;
    for (let at = 0; at < bytes.length; ) {
      const taken = Math.min(room - this.#filled, bytes.length - at);
      const piece = taken === bytes.length ? bytes : bytes.subarray(at, at + taken);
      this.#lanes.bytes.set(piece, this.#data + this.#filled);
      this.#filled += taken;
      at += taken;
      if (this.#filled === room) this.#hashGroup();
    }
  }

  /** The tensor's nodes; the stream begins another tensor, of which it keeps nodes from `keep` up. */
  finish(keep: number): KeptLevels {
    const { bytes } = this.#lanes;
    for (let i = 0; i < this.#pending; i++) this.#levels.push(this.#hashAt(i), 0);
    for (let at = 0; at < this.#filled; at += LEAF_BYTES) {
      const end = Math.min(this.#filled, at + LEAF_BYTES);
      this.#levels.push(leafHash(bytes.subarray(this.#data + at, this.#data + end)), 0);
      this.#leaves++;
    }
    const levels = this.#levels.finish(heightOf(this.#leaves));
    this.#levels = new LevelBuilder(keep);
    this.#filled = this.#pending = this.#leaves = 0;
    return levels;
  }

  #hashGroup(): void {
    this.#lanes.leaves(this.#data, 1, this.#hashes + this.#pending * HASH_BYTES);
    this.#filled = 0;
    this.#leaves += GROUP_LEAVES;
    this.#pending += GROUP_LEAVES;
    if (this.#pending < BATCH_LEAVES) return;
    for (let pairs = BATCH_LEAVES / 2; pairs >= 4; pairs /= 2) this.#lanes.nodes(this.#hashes, pairs / 4, this.#hashes);
    for (let i = 0; i < BATCH_LEAVES / 2 ** BATCH_HEIGHT; i++) this.#levels.push(this.#hashAt(i), BATCH_HEIGHT);
    this.#pending = 0;
  }

  #hashAt(index: number): Uint8Array {
    const at = this.#hashes + index * HASH_BYTES;
    return this.#lanes.bytes.slice(at, at + HASH_BYTES);
  }
}
