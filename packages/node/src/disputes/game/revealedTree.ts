import {
  childAt,
  descendants,
  isLeaf,
  leafLength,
  type Position,
  type Program,
  positionKey,
  RevealedNodes,
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
  readonly #nodes = new RevealedNodes();
  readonly #leaves = new Map<string, RevealedLeaf>();
  readonly #reveals = new Map<string, Reveal>();

  constructor({ program, T, root }: { program: Program; T: number; root: Uint8Array }) {
    this.#program = program;
    this.#T = T;
    const top = rootPosition(program);
    this.#nodes.add(top, 0, [root]);
    if (top.height === 0) this.#enter(top, root);
  }

  /** In the order in which they were taken: each under a node of those before. */
  get reveals(): Reveal[] {
    return [...this.#reveals.values()];
  }

  node(at: Position): Uint8Array | undefined {
    return this.#nodes.node(at);
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
    if (!isSame(above(nodes, depth), this.node(position))) return false;
    this.#nodes.add(position, depth, nodes);
    if (height === 0)
      for (const [i, hash] of nodes.entries()) this.#enter({ ...position, height, index: first + i }, hash);
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

  /** What lies under an element of a list is the next list's root, and has the same hash. */
  #enter(at: Position, hash: Uint8Array): void {
    if (at.list === "leaves") return;
    this.#nodes.add(childAt(at, 0, at.index, { program: this.#program, T: this.#T }), 0, [hash]);
  }
}

/** The node `depth` levels above adjacent ones. */
function above(nodes: readonly Uint8Array[], depth: number): Uint8Array | undefined {
  let level = nodes;
  for (let up = 0; up < depth; up++) level = parents(level);
  return level[0];
}

export function isSame(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a !== undefined && b !== undefined && Buffer.compare(a, b) === 0;
}
