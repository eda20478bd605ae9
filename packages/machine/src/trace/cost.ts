import { BYTES, type Program, size, sizeAt } from "../program.ts";
import { foldTensorBytes, leafCount, stageAt, stepsOf } from "./layout.ts";

/** What the trace of a job takes. Of loops over histories `leaves` and `nodes` are upper bounds. */
export type TraceCost = {
  /** Bytes of all elements: every one is computed and hashed. */
  bytes: number;
  leaves: number;
  /** Hashes of two nodes. */
  nodes: number;
};

/**
 * The size of a job's trace, without building it. The time grows with the bytes: a node that has measured one trace on its
 * machine knows about how long another takes.
 */
export function traceCost(program: Program, T: number): TraceCost {
  const cost: TraceCost = { bytes: 0, leaves: 0, nodes: program.stages.length - 1 };
  for (const stage of program.stages.keys()) {
    const { bytes, leaves, nodes } = stageCost(program, stage, T);
    cost.bytes += bytes;
    cost.leaves += leaves;
    cost.nodes += nodes;
  }
  return cost;
}

/** What one stage adds. */
export function stageCost(program: Program, stage: number, T: number): TraceCost {
  const cost: TraceCost = { bytes: 0, leaves: 0, nodes: 0 };
  const decl = stageAt(program, stage);
  const S = stepsOf(decl, T);
  const tensors = decl.order === 2 ? S : 1;
  for (const [fold, { type, rows, cols }] of decl.folds.entries()) {
    const isHistory = decl.order === 2 && size.kind(cols) === 2;
    const bytes = isHistory
      ? (sizeAt(rows, { t: 0, T }) * BYTES[type] * S * (S + 1)) / 2
      : foldTensorBytes(program, { stage, fold, t: 0 }, T) * tensors;
    const leaves = isHistory ? leafCount(bytes) + S : leafCount(bytes / tensors) * tensors;
    cost.bytes += bytes;
    cost.leaves += leaves;
    cost.nodes += leaves - tensors;
  }
  if (decl.order === 2) cost.nodes += S * decl.folds.length - 1;
  return cost;
}
