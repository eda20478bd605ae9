import type { Position } from "./position.ts";

/** Adjacent leaves of one tensor, as bytes, with the siblings that lead to the root that commits to it, bottom up. */
export type OpenedLeaves = { data: Uint8Array; siblings: Uint8Array[] };

/** An element of a fold. */
export type ElementAt = { stage: number; fold: number; t: number; r: number; c: number };

/** The tensor that holds elements of a fold: of the whole stage, or in a loop (order 2) of one step and fold. */
export type FoldTensor = { stage: number; fold: number; t: number };

/**
 * Every element of a job, committed to. Built only when an answer is disputed. What is not kept is computed again when it
 * is asked for, so a call may take as long as the job did.
 */
export type Trace = {
  readonly T: number;
  readonly root: Uint8Array;
  /** The first element of the last stage that is not 1, or undefined: the statement is true. */
  readonly firstFalse: ElementAt | undefined;
  /** Hashes of the nodes `depth` levels under a position (depth at most its height), left to right. */
  nodes(under: Position, depth: number): Uint8Array[];
  /** The bytes of leaf `index` of a fold's tensor. */
  leaf(of: FoldTensor, index: number): Uint8Array;
  /** Adjacent leaves of a fold's tensor with their siblings up to the trace root. */
  open(of: FoldTensor, first: number, length: number): OpenedLeaves;
  close(): void;
};
