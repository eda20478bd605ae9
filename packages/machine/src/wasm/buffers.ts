import type { Folds, SessionFolds } from "./folds.ts";
import { HeldBlock } from "./heldBlock.ts";
import type { Arena } from "./memory.ts";
import { type Place, placeAt, slotShapeOf } from "./places.ts";

export type BlockBufferParts = {
  arena: Arena;
  folds: Folds;
  session: SessionFolds;
  segmentOf: number[];
  /** How many rows pass a segment at the same time. */
  lanes: number;
  place: (places: (Place | undefined)[]) => void;
};

/** Buffers of the folds that nothing needs beyond a block of rows. Folds that are not needed together share memory. */
export class BlockBuffers {
  readonly #folds: Folds;
  readonly #session: SessionFolds;
  /** By fold: the first and the last segment that needs its elements. */
  readonly #life: { first: number; last: number }[];
  readonly #lanes: number;
  readonly #block: HeldBlock;
  readonly #place: (places: (Place | undefined)[]) => void;
  /** What there is room for, and places relative to the block. */
  #held: { rows: number; history: number; places: (Place | undefined)[] } = { rows: 0, history: 0, places: [] };

  /** `place` is told where the buffers lie, whenever that changes. */
  constructor(parts: BlockBufferParts) {
    const { arena, folds, session, segmentOf, lanes, place } = parts;
    this.#lanes = lanes;
    this.#block = new HeldBlock(arena, () => this.#settle());
    this.#place = place;
    this.#folds = folds;
    this.#session = session;
    this.#life = folds.codes.map((_, id) => ({ first: segmentOf[id] ?? 0, last: segmentOf[id] ?? 0 }));
    for (const [id, code] of folds.codes.entries())
      for (const site of code.sites) {
        const life = this.#life[folds.target(site) ?? -1];
        if (life !== undefined) life.last = Math.max(life.last, segmentOf[id] ?? 0);
      }
  }

  /** Makes room for `rows` rows whose histories have at most `history` steps. @throws `machine.out_of_memory` */
  fit(rows: number, history: number): void {
    const held = this.#held;
    if (held.rows >= rows && held.history >= history) return;
    const wanted = { rows: Math.max(rows, held.rows), history: Math.max(history, held.history) };
    const { places, bytes } = this.#layout(wanted);
    this.#block.fit(bytes);
    this.#held = { ...wanted, places };
    this.#settle();
  }

  #settle(): void {
    const { base } = this.#block;
    this.#place(this.#held.places.map((place) => place && { ...place, base: place.base + base }));
  }

  #layout({ rows, history }: { rows: number; history: number }): { places: (Place | undefined)[]; bytes: number } {
    let live: { from: number; to: number; last: number }[] = [];
    let total = 0;
    const places = this.#folds.codes.map((code, id) => {
      if (this.#session.storage[id]?.kind !== "transient") return undefined;
      const { first, last } = this.#life[id] as { first: number; last: number };
      // the rows of a lane pass a segment one after the other, so what only that segment needs has room for one of them
      const local = first === last;
      const shape = slotShapeOf(code, history);
      const bytes = shape.bytes * (local ? Math.min(this.#lanes, rows) : rows);
      live = live.filter((block) => block.last >= first);
      let from = 0;
      for (const block of live) {
        if (block.from - from >= bytes) break;
        from = Math.max(from, block.to);
      }
      live.push({ from, to: from + bytes, last });
      live.sort((a, b) => a.from - b.from);
      total = Math.max(total, from + bytes);
      return placeAt(
        from,
        { ...shape, stepStride: local && this.#lanes === 1 ? 0 : shape.stepStride },
        { by: local ? "lane" : "slot" },
      );
    });
    return { places, bytes: total };
  }
}
