import { parents } from "../commitments/tree.ts";
import { type Position, positionKey } from "../trace/position.ts";

/** A node of a trace's tree: `stage`, `t` and `fold` say whose list it is in and are 0 where that says nothing. */
export type NodeAt = Pick<Position, "list" | "height" | "index" | "stage" | "t" | "fold">;

/** What a payee has shown of its trace's tree. */
export class RevealedNodes {
  readonly #nodes = new Map<string, Uint8Array>();

  /** Takes the nodes `depth` levels under a position, left to right; with them every level between is known. */
  add(under: NodeAt, depth: number, nodes: readonly Uint8Array[]): void {
    let level = [...nodes];
    for (let down = depth; ; down--) {
      const first = under.index * 2 ** down;
      for (const [i, node] of level.entries())
        this.#nodes.set(positionKey({ ...under, height: under.height - down, index: first + i }), node);
      if (down === 0) return;
      level = parents(level);
    }
  }

  node(at: NodeAt): Uint8Array | undefined {
    return this.#nodes.get(positionKey(at));
  }
}
