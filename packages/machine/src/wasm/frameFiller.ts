import { sizeAt } from "../program.ts";
import type { CompiledFold } from "./compile.ts";
import type { Row, Scene } from "./evaluate.ts";
import { FILL, type Fill, fillsOf } from "./fills.ts";
import type { Folds } from "./folds.ts";
import type { Arena } from "./memory.ts";
import { type Place, stepStart } from "./places.ts";

/** Words of a fill in the table. */
const WIDTH = 4;

const OWN_FRAME = { words: 0, lane: 0 };

/**
 * Fills the frames of folds before they run. Between two folds weights pass through the caches, so what is read here is kept
 * small and in order: a table of numbers, without what stays as it is from row to row.
 */
export class FrameFiller {
  readonly #arena: Arena;
  /** By fold, with the fold itself as what its own elements are about. */
  readonly #fills: Fill[][];
  /** Fills of each row: word, what, of, size. Those of a fold end where the next one's start. */
  #table = new Uint32Array(0);
  readonly #starts: Uint32Array;
  /** By fold: where its buffer lies, and bytes between slots. */
  readonly #bases: Uint32Array;
  readonly #slotBytes: Uint32Array;
  /** As slots, of buffers that rows of a lane use in turn. */
  readonly #laneBytes: Uint32Array;
  /** Address of what `prev` reads before the first step. */
  zeros = 0;
  #lane = 0;

  constructor({ arena, folds, compiled }: { arena: Arena; folds: Folds; compiled: readonly CompiledFold[] }) {
    this.#arena = arena;
    this.#fills = compiled.map((fold, id) =>
      fillsOf(folds, fold).map((fill) => (isOwn(fill) ? { ...fill, of: id } : fill)),
    );
    this.#starts = new Uint32Array(compiled.length + 1);
    this.#bases = new Uint32Array(compiled.length);
    this.#slotBytes = new Uint32Array(compiled.length);
    this.#laneBytes = new Uint32Array(compiled.length);
    this.settle([]);
  }

  /** Says where the block's own buffers lie from now on. No scene has another place for a fold that has a buffer. */
  settle(buffers: readonly (Place | undefined)[]): void {
    const table: number[] = [];
    for (const [id, place] of buffers.entries()) {
      this.#bases[id] = place?.base ?? 0;
      this.#slotBytes[id] = place?.by === "slot" ? place.stepStride : 0;
      this.#laneBytes[id] = place?.by === "lane" ? place.stepStride : 0;
    }
    for (const [id, fills] of this.#fills.entries()) {
      this.#starts[id] = table.length;
      for (const fill of fills) {
        const value = constantValue(fill, buffers[fill.of]);
        if (value === undefined) table.push(fill.word, fill.what, fill.of, fill.size);
        else this.#arena.words[fill.word] = value;
      }
    }
    this.#starts[this.#fills.length] = table.length;
    this.#table = Uint32Array.from(table);
  }

  /**
   * Fills a fold's frame, or one so many words behind it for a row in a lane of its own. `sums`: address of what a matrix
   * product gave for this row.
   */
  fill(fold: number, row: Row, sums: number, { words: by, lane } = OWN_FRAME): void {
    const { words } = this.#arena;
    const table = this.#table;
    this.#lane = lane;
    const end = this.#starts[fold + 1] as number;
    for (let at = this.#starts[fold] as number; at < end; at += WIDTH) {
      const [word, what, of] = [table[at] as number, table[at + 1] as number, table[at + 2] as number];
      words[by + word] = what === FILL.sums ? sums : this.#value(what, of, table[at + 3] as number, row);
    }
    this.#lane = 0;
  }

  /** Where the elements of a fold at step t of a row's scene begin. */
  address(fold: number, row: Row, t: number): number {
    const place = row.scene.places[fold];
    if (place !== undefined) return stepStart(place, t);
    const [slotBytes, laneBytes] = [this.#slotBytes[fold] as number, this.#laneBytes[fold] as number];
    return (this.#bases[fold] as number) + row.slot * slotBytes + this.#lane * laneBytes;
  }

  #value(what: number, of: number, size: number, row: Row): number {
    const { scene, t } = row;
    switch (what) {
      case FILL.step:
        return t;
      case FILL.length:
        return scene.T;
      case FILL.size:
        return sizeAt(size, { t, T: scene.T });
      case FILL.out:
      case FILL.currentBase:
        return this.address(of, row, t);
      case FILL.previousBase:
        return t === 0 ? this.zeros : this.address(of, row, t - 1);
      case FILL.tensorBase:
        return (scene.tensors[of] as Scene["tensors"][number]).base;
      case FILL.tensorRowStride:
        return (scene.tensors[of] as Scene["tensors"][number]).rowStride;
      default:
        return placeValue(what, scene.places[of] as Place);
    }
  }
}

const isOwn = ({ what }: Fill): boolean =>
  what === FILL.out || what === FILL.outRowStride || what === FILL.outColStride;

/** A number of a place that is the same for all of its steps. */
function placeValue(what: number, place: Place): number {
  switch (what) {
    case FILL.base:
      return place.base;
    case FILL.stepStride:
      return place.stepStride;
    case FILL.rowStride:
    case FILL.outRowStride:
      return place.rowStride;
    case FILL.colStride:
    case FILL.outColStride:
      return place.colStride;
    case FILL.presence:
      return place.presence;
    default:
      throw new RangeError(`no fill ${what}`);
  }
}

/** What a fill about a buffer gives for every row; undefined where rows differ or nothing has a buffer. */
function constantValue({ what }: Fill, buffer: Place | undefined): number | undefined {
  switch (what) {
    case FILL.step:
    case FILL.length:
    case FILL.size:
    case FILL.sums:
    case FILL.tensorBase:
    case FILL.tensorRowStride:
    case FILL.previousBase:
      return undefined;
    case FILL.out:
    case FILL.currentBase:
      return buffer?.stepStride === 0 ? buffer.base : undefined;
    default:
      return buffer && placeValue(what, buffer);
  }
}
