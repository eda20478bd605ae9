import type { Position } from "@foldmark/machine";
import type { Reveal, RevealedLeaf } from "../game/revealedTree.ts";

/** Shows parts of a payee's tree off the chain. What it shows is checked by whoever asks, who waits until the signal. */
export type TreeSource = {
  /** Nodes under a position, as deep as it likes. @throws anything where it does not show them */
  nodes(under: Position, signal?: AbortSignal): Promise<Reveal>;
  /** @throws anything where it does not show it */
  leaf(at: Position, signal?: AbortSignal): Promise<RevealedLeaf>;
};
