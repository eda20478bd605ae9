import {
  childAt,
  descendants,
  isLeaf,
  leafLength,
  type Position,
  type Program,
  positionKey,
  rootPosition,
} from "@foldmark/machine";
import { HASH_BYTES, leafHash, parents } from "@foldmark/machine/commitments";

/** Nodes `depth` levels under a position, as somebody has shown them. */
export type Reveal = { position: Position; depth: number; nodes: Uint8Array[] };
export type RevealedLeaf = { position: Position; data: Uint8Array };

/**
 * What is known of another party's tree: everything in it hashes up to its root, whoever showed it. An element of a list
 * and the root of the list that it stands for are one node.
 */
export class RevealedTree {
  readonly #program: Program;
  readonly #T: number;
  readonly #nodes = new Map<string, Uint8Array>();
  readonly #leaves = new Map<string, RevealedLeaf>();
  readonly #reveals = new Map<string, Reveal>();

  constructor({ program, T, root }: { program: Program; T: number; root: Uint8Array }) {
    this.#program = program;
    this.#T = T;
    this.#put(rootPosition(program), root);
  }

  /** In the order in which they were taken: each under a node of those before. */
  get reveals(): Reveal[] {
    return [...this.#reveals.values()];
  }

  node(at: Position): Uint8Array | undefined {
    return this.#nodes.get(positionKey(at));
  }

  leaf(at: Position): RevealedLeaf | undefined {
    return this.#leaves.get(positionKey(at));
  }

  /** The nodes that were shown under a position, if any. */
  under(at: Position): Reveal | undefined {
    return this.#reveals.get(positionKey(at));
  }

  /** Takes nodes in. False, and nothing is taken, where they do not hash to a node that is known. */
  add({ position, depth, nodes }: Reveal): boolean {
    if (depth < 1 || depth > position.height) return false;
    const { height, first, count } = descendants(position, depth);
    // a byte that moves from one node to its neighbour leaves what they hash to as it is
    if (nodes.length !== count || nodes.some((node) => node.length !== HASH_BYTES)) return false;
    const levels = [nodes];
    for (let level = 0; level < depth; level++) levels.push(parents(levels[level] ?? []));
    if (!isSame(levels[depth]?.[0], this.node(position))) return false;
    for (const [up, level] of levels.entries())
      for (const [i, hash] of level.entries())
        this.#put({ ...position, height: height + up, index: Math.floor(first / 2 ** up) + i }, hash);
    const known = this.under(position);
    if (!known || known.depth < depth) this.#reveals.set(positionKey(position), { position, depth, nodes });
    return true;
  }

  /** Takes a leaf in. False where its length is not the tensor's or it does not hash to its node. */
  addLeaf(leaf: RevealedLeaf): boolean {
    const { position, data } = leaf;
    if (!isLeaf(position) || data.length !== leafLength(position)) return false;
    if (!isSame(leafHash(data), this.node(position))) return false;
    this.#leaves.set(positionKey(position), leaf);
    return true;
  }

  #put(at: Position, hash: Uint8Array): void {
    this.#nodes.set(positionKey(at), hash);
    if (at.height > 0 || at.list === "leaves") return;
    this.#nodes.set(positionKey(childAt(at, 0, at.index, { program: this.#program, T: this.#T })), hash);
  }
}

export function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a !== undefined && b !== undefined && Buffer.compare(a, b) === 0;
}
