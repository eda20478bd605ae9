import { BYTES, type Program } from "../program.ts";
import { stageCost, traceCost } from "./cost.ts";
import { foldAt, foldTensorBytes, stageAt, stepsOf } from "./layout.ts";
import { BATCH_HEIGHT } from "./tensorStream.ts";

/** Memory of a streamed trace, beside the engine's: these four together, and about 6 KB for each stage. */
export type TraceLimits = {
  /** Nodes that are kept, of all lists together. */
  keptBytes: number;
  /** Bytes of the smallest tensors: a leaf of scalars holds so many steps that computing it again takes as long as the job. */
  smallBytes: number;
  /** Stages whose time is innermost are put together in memory before they are hashed; what does not fit is computed again. */
  innermostBytes: number;
  /** Leaves that were computed again, with the nodes above them. The last of them is kept even if it is larger. */
  cacheBytes: number;
};

export const TRACE_LIMITS: TraceLimits = {
  keptBytes: 2 ** 26,
  smallBytes: 2 ** 26,
  innermostBytes: 2 ** 28,
  cacheBytes: 2 ** 26,
};

/** Height from which nodes are kept, so that all of them and the levels above take at most `keptBytes`. */
export function keptHeight(program: Program, T: number, { keptBytes }: Pick<TraceLimits, "keptBytes">): number {
  const { leaves } = traceCost(program, T);
  const bytesOfLevels = 64; // 32 for a node, and as much again for everything above it
  let height = BATCH_HEIGHT;
  while ((leaves / 2 ** height) * bytesOfLevels > keptBytes) height++;
  return height;
}

/** The stages whose bytes are kept: the smallest that fit together. A loop's many tensors have their own weight. */
export function smallStages(program: Program, T: number, { smallBytes }: Pick<TraceLimits, "smallBytes">): Set<number> {
  const bytesOfTensor = 128;
  const sized = program.stages
    .map((decl, stage) => {
      const { bytes } = stageCost(program, stage, T);
      return { stage, bytes: bytes + (decl.order === 2 ? stepsOf(decl, T) * decl.folds.length * bytesOfTensor : 0) };
    })
    .sort((a, b) => a.bytes - b.bytes);
  const kept = new Set<number>();
  let room = smallBytes;
  for (const { stage, bytes } of sized) {
    room -= bytes;
    if (room < 0) break;
    kept.add(stage);
  }
  return kept;
}

/** Rows of a stage whose time is innermost: `(r, c)` of number `from .. end - 1`, of all steps. */
export type InnermostRows = { stage: number; from: number; end: number; bytes: number };

/** What is put together in memory at once. The first pass is the one that computes everything else too. */
export function innermostPasses(
  program: Program,
  T: number,
  { innermostBytes }: Pick<TraceLimits, "innermostBytes">,
): InnermostRows[][] {
  const passes: InnermostRows[][] = [[]];
  let room = innermostBytes;
  for (const [stage, decl] of program.stages.entries()) {
    if (decl.order !== 1) continue;
    const rowBytes = stepsOf(decl, T) * BYTES[foldAt(program, stage, 0).type];
    const rows = foldTensorBytes(program, { stage, fold: 0, t: 0 }, T) / rowBytes;
    for (let from = 0; from < rows; ) {
      const fitting = Math.min(rows - from, Math.floor(room / rowBytes));
      const isFirst = room === innermostBytes;
      if (fitting === 0 && !isFirst) {
        passes.push([]);
        room = innermostBytes;
        continue;
      }
      const taken = Math.max(1, fitting); // one row is taken whatever its length
      passes.at(-1)?.push({ stage, from, end: from + taken, bytes: taken * rowBytes });
      room -= taken * rowBytes;
      from += taken;
    }
  }
  return passes;
}

/** Whether a stage is one tensor, of order 0 or 1. */
export const isOneTensor = (program: Program, stage: number): boolean => stageAt(program, stage).order !== 2;
