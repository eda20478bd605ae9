import type { CompiledFold } from "../compile.ts";
import type { Sums } from "../dots/products.ts";
import type { Row } from "../evaluate.ts";
import { MISSING_OFFSET } from "../frame.ts";
import type { FrameFiller } from "../frameFiller.ts";
import type { Arena } from "../memory.ts";
import { Crew } from "./crew.ts";

/** Frames of the rows that are computed at the same time. */
const FRAMES_BYTES = 1 << 19;

export type SharedRowsParts = { crew: Crew; arena: Arena; compiled: readonly CompiledFold[]; frames: FrameFiller };

type Planned = { fold: number; frame: number };

/** Computes folds for rows that do not load each other, on all threads: each row has frames of its own. */
export class SharedRows {
  readonly #parts: SharedRowsParts;
  readonly #frames: number;

  /** @throws `machine.out_of_memory` */
  constructor(parts: SharedRowsParts) {
    this.#parts = parts;
    this.#frames = parts.arena.allocate(FRAMES_BYTES);
  }

  /** How many rows can be computed at the same time. */
  most(folds: readonly number[]): number {
    const bytes = folds.reduce((sum, fold) => sum + this.#compiledOf(fold).frameBytes, 0);
    return Math.floor(Math.min(FRAMES_BYTES / bytes, Crew.maxCalls / folds.length));
  }

  /** Computes what rows need of folds, at most `most` rows, with the sums of each. @throws `machine.thread_lost` */
  run(folds: readonly number[], rows: readonly Row[], { base, stride }: Sums): void {
    const { crew } = this.#parts;
    const lanes = Math.min(rows.length, crew.lanes);
    const planned: Planned[] = [];
    let frame = this.#frames;
    for (let lane = 0; lane < lanes; lane++) {
      const end = Math.floor(((lane + 1) * rows.length) / lanes);
      for (let m = Math.floor((lane * rows.length) / lanes); m < end; m++)
        for (const fold of folds) {
          const row = rows[m] as Row;
          if (!row.needs[fold]) continue;
          this.#plan({ fold, frame }, row, { sums: base + m * stride, lane });
          planned.push({ fold, frame });
          frame += this.#compiledOf(fold).frameBytes;
        }
      crew.endChunk();
    }
    crew.runCalls();
    this.#keepMissing(planned);
  }

  #plan({ fold, frame }: Planned, row: Row, { sums, lane }: { sums: number; lane: number }): void {
    const { crew, arena, frames } = this.#parts;
    const { frame: model, frameBytes, function: number } = this.#compiledOf(fold);
    arena.words.copyWithin(frame / 4, model / 4, (model + frameBytes) / 4);
    frames.fill(fold, row, sums, { words: (frame - model) / 4, lane });
    crew.plan(number, frame);
  }

  /** A load of a step that was not computed is told by the fold's first frame. */
  #keepMissing(planned: readonly Planned[]): void {
    const { words } = this.#parts.arena;
    for (const { fold, frame } of planned)
      if (words[(frame + MISSING_OFFSET) >>> 2] !== 0) words[(this.#compiledOf(fold).frame + MISSING_OFFSET) >>> 2] = 1;
  }

  #compiledOf(fold: number): CompiledFold {
    return this.#parts.compiled[fold] as CompiledFold;
  }
}
