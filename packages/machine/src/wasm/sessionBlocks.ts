import type { Move, MoveResult, Want } from "../engine.ts";
import { type Program, size } from "../program.ts";
import { isPerStep } from "../validate/stepwise.ts";
import { BLOCK_ROWS, type Row, type Sink } from "./evaluate.ts";
import type { SessionFolds } from "./folds.ts";
import type { WasmSession } from "./session.ts";
import { sinkFor, type WholeJobParts } from "./wholeJob.ts";

/** Steps of sessions as blocks of rows: what they want decides what each row computes. */
export class SessionBlocks {
  readonly #parts: WholeJobParts;
  readonly #folds: SessionFolds;
  /** What a step computes, by what is wanted of it. */
  readonly #needs = new Map<string, Uint8Array>();

  constructor(parts: WholeJobParts, folds: SessionFolds) {
    this.#parts = parts;
    this.#folds = folds;
  }

  /**
   * Computes the steps of all moves; their sessions have room, and count their steps afterwards.
   * @param also - folds to compute at every step besides what is wanted
   */
  compute(moves: Move[], also: readonly number[]): MoveResult[] {
    const rows: Row[] = [];
    const flush = () => {
      if (rows.length > 0) this.#parts.evaluator.block(rows);
      rows.length = 0;
    };
    const results = moves.map(({ session: moved, steps, claimed, want }) => {
      const session = moved as WasmSession;
      const from = session.steps;
      const end = from + steps;
      session.give(claimed);
      const sinks = want.map((wanted) => this.#sink(session, wanted, { from, end }));
      const perStep = want
        .map((wanted, i) => ({ wanted, sink: sinks[i] as Sink }))
        .filter(({ wanted }) => this.#isPerStep(wanted));
      const all = perStep.filter(({ wanted }) => wanted.steps === "all").map(({ sink }) => sink);
      const last = perStep.map(({ sink }) => sink);
      for (let t = from; t < end; t++) {
        const wanted = t === end - 1 ? last : all;
        rows.push({ scene: session.scene, t, slot: rows.length, needs: this.#needsOf(wanted, also), sinks: wanted });
        if (rows.length === BLOCK_ROWS) flush();
      }
      return sinks.map(({ out }) => out);
    });
    flush();
    return results;
  }

  #isPerStep({ stage }: Want): boolean {
    return isPerStep(this.#parts.program.stages[stage] as Program["stages"][number]);
  }

  /** Of a stage with constant steps, what a session computed when it opened; else room for the steps of a move. */
  #sink(session: WasmSession, wanted: Want, { from, end }: { from: number; end: number }): Sink {
    if (this.#isPerStep(wanted)) return sinkFor(this.#parts, wanted, { from, end, T: 1 });
    const { evaluator } = this.#parts;
    const steps = size.n(this.#parts.program.stages[wanted.stage]?.steps ?? 1);
    const sink = sinkFor(this.#parts, wanted, { from: 0, end: steps, T: 1 });
    for (let t = wanted.steps === "last" ? steps - 1 : 0; t < steps; t++)
      evaluator.copy(sink, { scene: session.scene, t, slot: 0, needs: this.#folds.always, sinks: [] });
    return sink;
  }

  #needsOf(sinks: Sink[], also: readonly number[]): Uint8Array {
    const wanted = [...sinks.map(({ fold }) => fold), ...also];
    if (wanted.length === 0) return this.#folds.always;
    const key = wanted.join(" ");
    let needs = this.#needs.get(key);
    if (needs === undefined) {
      needs = this.#folds.always.slice();
      for (const fold of wanted) this.#folds.addNeeds(fold, needs);
      this.#needs.set(key, needs);
    }
    return needs;
  }
}
