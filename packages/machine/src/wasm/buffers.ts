import type { Folds, SessionFolds } from "./folds.ts";
import type { Arena } from "./memory.ts";
import { type Place, placeAt, slotShapeOf } from "./places.ts";

/** Buffers of the folds that nothing needs beyond a block of rows. Folds that are not needed together share memory. */
export class BlockBuffers {
  readonly #arena: Arena;
  readonly #folds: Folds;
  readonly #session: SessionFolds;
  /** By fold: the first and the last segment that needs its elements. */
  readonly #life: { first: number; last: number }[];
  #held: { rows: number; history: number; base: number } | undefined;

  constructor(parts: { arena: Arena; folds: Folds; session: SessionFolds; segmentOf: number[] }) {
    const { arena, folds, session, segmentOf } = parts;
    this.#arena = arena;
    this.#folds = folds;
    this.#session = session;
    this.#life = folds.codes.map((_, id) => ({ first: segmentOf[id] ?? 0, last: segmentOf[id] ?? 0 }));
    for (const [id, code] of folds.codes.entries())
      for (const site of code.sites) {
        const life = this.#life[folds.target(site) ?? -1];
        if (life !== undefined) life.last = Math.max(life.last, segmentOf[id] ?? 0);
      }
  }

  /** Places for `rows` rows whose histories have at most `history` steps; undefined where they already fit. */
  fit(rows: number, history: number): (Place | undefined)[] | undefined {
    const held = this.#held;
    if (held !== undefined && held.rows >= rows && held.history >= history) return undefined;
    const wanted = { rows: Math.max(rows, held?.rows ?? 0), history: Math.max(history, held?.history ?? 0) };
    const { places, bytes } = this.#layout(wanted);
    this.#held = undefined;
    if (held !== undefined) this.#arena.free(held.base);
    const base = this.#arena.allocate(bytes);
    this.#held = { ...wanted, base };
    return places.map((place) => place && { ...place, base: place.base + base });
  }

  #layout({ rows, history }: { rows: number; history: number }): { places: (Place | undefined)[]; bytes: number } {
    let live: { from: number; to: number; last: number }[] = [];
    let total = 0;
    const places = this.#folds.codes.map((code, id) => {
      if (this.#session.storage[id]?.kind !== "transient") return undefined;
      const { first, last } = this.#life[id] as { first: number; last: number };
      // rows pass a segment one after the other, so what only that segment needs has room for one row
      const local = first === last;
      const shape = slotShapeOf(code, history);
      const bytes = shape.bytes * (local ? 1 : rows);
      live = live.filter((block) => block.last >= first);
      let from = 0;
      for (const block of live) {
        if (block.from - from >= bytes) break;
        from = Math.max(from, block.to);
      }
      live.push({ from, to: from + bytes, last });
      live.sort((a, b) => a.from - b.from);
      total = Math.max(total, from + bytes);
      return placeAt(from, { ...shape, stepStride: local ? 0 : shape.stepStride }, { by: "slot" });
    });
    return { places, bytes: total };
  }
}
