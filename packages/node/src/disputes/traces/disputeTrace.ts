import type { ElementAt, FoldTensor, Position, Refutation } from "@foldmark/machine";
import type { Reveal, RevealedLeaf } from "../game/revealedTree.ts";

/** A job whose trace is asked for, and the folder of its model package. */
export type DisputedJob = { folder: string; T: number; request: Uint8Array[]; claimed: Uint8Array[] };

/** What a challenger knows of the payee's tree when it has found a false leaf. `reveals` lead from the root to the leaf. */
export type KnownFalse = { reveals: readonly Reveal[]; leaf: RevealedLeaf };

/** The trace of a disputed answer, held off this thread: a call may take as long as the answer did. */
export type DisputeTrace = {
  readonly T: number;
  readonly root: Uint8Array;
  /** The first element of the last stage that is not 1, or undefined: the statement is true. */
  readonly firstFalse: ElementAt | undefined;
  /** What computing it took, without opening the model; undefined where nobody has measured it. */
  readonly seconds?: number;
  /** Hashes of the nodes `depth` levels under a position, left to right. */
  nodes(under: Position, depth: number): Promise<Uint8Array[]>;
  leaf(of: FoldTensor, index: number): Promise<Uint8Array>;
  /** The evidence against a leaf of the payee's tree; without one, against `firstFalse`, which both trees have. */
  refutation(known?: KnownFalse): Promise<Refutation>;
  close(): Promise<void>;
};

/** Builds a trace; an abort ends that. */
export type OpenTrace = (job: DisputedJob, options?: { signal?: AbortSignal }) => Promise<DisputeTrace>;
