import { tensorRoot } from "./tensor.ts";
import { listRoot } from "./tree.ts";

/** Root of a loop (order 2): the list of its steps, each the list of its folds, each a tensor. Orders 0 and 1 are one tensor. */
export const loopRoot = (steps: readonly (readonly Uint8Array[])[]): Uint8Array =>
  listRoot(steps.map((folds) => listRoot(folds.map(tensorRoot))));

/** Root of a trace: the list of its stages' roots. */
export const traceRoot = (stageRoots: readonly Uint8Array[]): Uint8Array => listRoot(stageRoots);
