import { MachineError } from "../errors.ts";
import { BYTES, type Program, sizeAt } from "../program.ts";
import type { CompiledFold } from "./compile.ts";
import { type JoinedSegment, joinProducts, type Product } from "./dots/joined.ts";
import { MatrixProducts, type Sums, sumBytesOf } from "./dots/products.ts";
import type { Folds } from "./folds.ts";
import { MISSING_OFFSET } from "./frame.ts";
import { FrameFiller } from "./frameFiller.ts";
import { HeldBlock } from "./heldBlock.ts";
import type { Kernels } from "./kernels.ts";
import type { Arena } from "./memory.ts";
import { copyMatrix, isDense, type Place } from "./places.ts";
import { segmentsOf } from "./segments.ts";
import type { Site } from "./sites.ts";
import type { Crew } from "./threads/crew.ts";
import { SharedRows } from "./threads/sharedRows.ts";

/** Where a session or a whole job has its tensors and folds. */
export type Scene = {
  T: number;
  /** By fold number. Undefined: in the block's own buffers. */
  places: (Place | undefined)[];
  /** Requests and claimed tensors by their number: address, and bytes between rows. */
  tensors: { base: number; rowStride: number }[];
};

/** Copies of a fold's elements that a caller asked for. */
export type Sink = { fold: number; out: Uint8Array; at: number };

/** Sees the elements of a fold at one step, row by row, as they are computed. The bytes are its own during the call only. */
export type Tap = (bytes: Uint8Array, t: number) => void;

/** One step of one scene. `taps` by fold number. */
export type Row = {
  scene: Scene;
  t: number;
  slot: number;
  needs: Uint8Array;
  sinks: Sink[];
  taps?: readonly (Tap | undefined)[];
};

/** Rows that are computed together: weights are read once for all of them. */
export const BLOCK_ROWS = 64;

export type EvaluatorParts = {
  program: Program;
  folds: Folds;
  compiled: CompiledFold[];
  arena: Arena;
  kernels: Kernels;
  /** Shares the rows of blocks, where there are several threads. */
  crew: Crew | undefined;
};

/** Computes folds for blocks of rows. */
export class Evaluator {
  readonly #compiled: CompiledFold[];
  readonly #arena: Arena;
  readonly #products: MatrixProducts;
  /** By fold: the matrix product that it is. */
  readonly #productOf: (Product | undefined)[];
  readonly #segments: JoinedSegment[];
  readonly #shared: SharedRows | undefined;
  readonly #frames: FrameFiller;
  readonly #lastFold: number;
  /** Places of the block's own buffers. */
  #buffers: readonly (Place | undefined)[] = [];
  /** While somebody measures: milliseconds by fold. */
  spent: Float64Array | undefined;
  /** Asked between pieces of work whether to stop. */
  isAborted: (() => boolean) | undefined;
  /** What `prev` reads before the first step. */
  readonly #zeros: HeldBlock;
  /** Addresses of a product's rows. */
  readonly #activations: number[] = [];
  /** A step that a tap sees, where it does not lie in one piece. */
  #shown = new Uint8Array(0);

  constructor({ program, folds, compiled, arena, kernels, crew }: EvaluatorParts) {
    this.#compiled = compiled;
    this.#arena = arena;
    this.#productOf = compiled.map(
      ({ code, dot }) => dot && { dot, source: folds.target(code.sites[dot.activations] as Site) as number },
    );
    this.#lastFold = folds.firstOf.at(-1) as number;
    this.#frames = new FrameFiller({ arena, folds, compiled });
    const isProduct = (fold: number) => this.#productOf[fold] !== undefined;
    const segments = segmentsOf(program, folds, { isProduct, split: crew !== undefined });
    this.#segments = joinProducts(segments, (fold) => this.#productOf[fold]);
    const products = [...this.#productOf, ...this.#segments.map(({ product }) => product)];
    const dots = products.flatMap((product) => product?.dot ?? []);
    this.#products = new MatrixProducts({ arena, kernels, dots });
    this.#shared = crew && new SharedRows({ crew, arena, compiled, frames: this.#frames });
    this.#zeros = new HeldBlock(arena, (base) => {
      this.#frames.zeros = base;
    });
  }

  /** Says where the block's own buffers lie, before a block is computed. */
  settle(buffers: readonly (Place | undefined)[]): void {
    this.#buffers = buffers;
    this.#frames.settle(buffers);
  }

  /** By fold number: when it is computed. Folds of one number are computed row by row, before those of the next. */
  segmentOf(): number[] {
    const of: number[] = [];
    let number = 0;
    for (const { folds, product } of this.#segments) {
      for (const fold of folds) of[fold] = product === undefined ? number : number++;
      if (product === undefined) number++;
    }
    return of;
  }

  /** Makes room for a block of `rows`, and zeros for what `prev` reads before the first step. @throws `machine.out_of_memory` */
  reserve(rows: number, previousBytes: number): void {
    if (this.#zeros.bytes < previousBytes)
      try {
        this.#zeros.fit(previousBytes);
      } finally {
        this.#arena.bytes.fill(0, this.#zeros.base, this.#zeros.base + this.#zeros.bytes);
      }
    this.#products.reserve(rows);
  }

  /**
   * Computes what the rows need of all stages before the last. Rows of one scene stand in the order of their steps.
   * @throws `machine.aborted`
   */
  block(rows: Row[]): void {
    for (const { folds, product, independent } of this.#segments) {
      if (product !== undefined) {
        if (folds.length > 1 && areNeeded(rows, folds)) this.#matrixProducts(folds, product, rows);
        else for (const fold of folds) this.rows(fold, rows);
        continue;
      }
      if (independent && this.#shareRows(folds, rows)) continue;
      for (const row of rows) {
        this.ask();
        for (const fold of folds) if (row.needs[fold]) this.fold(fold, row);
      }
    }
  }

  /** Computes one fold for several rows, which do not load each other. @throws `machine.aborted` */
  rows(fold: number, rows: Row[]): void {
    this.ask();
    const needing = neededBy(rows, fold);
    if (needing.length === 0) return;
    const product = this.#productOf[fold];
    if (product !== undefined) {
      this.#matrixProducts([fold], product, needing);
      return;
    }
    const since = this.#now();
    if (!this.#shareRows([fold], needing)) for (const row of needing) this.#run(fold, row, 0);
    this.#spend(fold, since);
  }

  /** @throws `machine.aborted` */
  ask(): void {
    if (this.isAborted?.()) throw new MachineError("machine.aborted", "The call was aborted.");
  }

  /** Computes one fold for one row. */
  fold(fold: number, row: Row): void {
    const product = this.#productOf[fold];
    if (product !== undefined) {
      this.#matrixProducts([fold], product, [row]);
      return;
    }
    const since = this.#now();
    this.#run(fold, row, 0);
    this.#spend(fold, since);
  }

  /** Whether a checked load met a step that was not computed, since the last call. */
  takeMissing(): boolean {
    let found = false;
    for (const { frame } of this.#compiled.slice(this.#lastFold)) {
      const word = (frame + MISSING_OFFSET) >>> 2;
      found ||= this.#arena.words[word] !== 0;
      this.#arena.words[word] = 0;
    }
    return found;
  }

  #now(): number {
    return this.spent === undefined ? 0 : performance.now();
  }

  #spend(fold: number, since: number): void {
    if (this.spent !== undefined) this.spent[fold] = (this.spent[fold] ?? 0) + performance.now() - since;
  }

  /** Computes a product, and finishes the folds whose sums stand in it one behind the other. */
  #matrixProducts(folds: readonly number[], { dot, source }: Product, rows: Row[]): void {
    let since = this.#now();
    this.#activations.length = rows.length;
    for (let m = 0; m < rows.length; m++) {
      const row = rows[m] as Row;
      this.#activations[m] = this.#frames.address(source, row, row.t);
    }
    const sums = this.#products.compute(dot, this.#activations, this);
    for (const fold of folds) {
      this.#finish(fold, rows, sums);
      // what the product took counts for the first of its folds
      this.#spend(fold, since);
      since = this.#now();
      sums.base += sumBytesOf((this.#productOf[fold] as Product).dot);
    }
  }

  #finish(fold: number, rows: Row[], { base, stride }: Sums): void {
    if (this.#shareRows([fold], rows, { base, stride })) return;
    for (let m = 0; m < rows.length; m++) {
      this.ask();
      this.#run(fold, rows[m] as Row, base + m * stride);
    }
  }

  /**
   * Computes folds for rows that do not load each other, on all threads. False where there is one thread, or where somebody
   * looks at a buffer that another row uses again.
   */
  #shareRows(folds: number[], rows: Row[], { base, stride }: Sums = { base: 0, stride: 0 }): boolean {
    if (this.#shared === undefined || rows.length === 1 || this.spent !== undefined) return false;
    if (rows.some((row) => folds.some((fold) => this.#isSeenInLane(fold, row)))) return false;
    const most = this.#shared.most(folds);
    if (most < 2) return false;
    for (let start = 0; start < rows.length; start += most) {
      this.ask();
      const part = rows.slice(start, start + most);
      this.#shared.run(folds, part, { base: base + start * stride, stride });
      for (const row of part) for (const fold of folds) if (row.needs[fold]) this.#tell(fold, row);
    }
    return true;
  }

  #isSeenInLane(fold: number, row: Row): boolean {
    if (this.#placeOf(fold, row).by !== "lane") return false;
    return row.taps?.[fold] !== undefined || row.sinks.some((sink) => sink.fold === fold);
  }

  #run(fold: number, row: Row, sums: number): void {
    const { run, frame } = this.#compiled[fold] as CompiledFold;
    this.#frames.fill(fold, row, sums);
    run(frame);
    this.#tell(fold, row);
  }

  /** Tells whoever wants to know of a step that was computed. */
  #tell(fold: number, row: Row): void {
    const presence = row.scene.places[fold]?.presence ?? 0;
    if (presence !== 0) this.#arena.bytes[presence + row.t] = 1;
    for (const sink of row.sinks) if (sink.fold === fold) this.copy(sink, row);
    const tap = row.taps?.[fold];
    if (tap !== undefined) this.show(fold, row, tap);
  }

  /** Shows a step of a fold, which was computed. */
  show(fold: number, row: Row, tap: Tap): void {
    const { code } = this.#compiled[fold] as CompiledFold;
    const place = this.#placeOf(fold, row);
    const at = { t: row.t, T: row.scene.T };
    const from = {
      address: this.#frames.address(fold, row, row.t),
      place,
      rows: sizeAt(code.decl.rows, at),
      cols: sizeAt(code.decl.cols, at),
    };
    const bytes = from.rows * from.cols * BYTES[code.decl.type];
    if (isDense(code, from)) tap(this.#arena.bytes.subarray(from.address, from.address + bytes), row.t);
    else {
      if (this.#shown.length < bytes) this.#shown = new Uint8Array(bytes * 2);
      copyMatrix(this.#arena.bytes, code, from, { out: this.#shown, at: 0 });
      tap(this.#shown.subarray(0, bytes), row.t);
    }
  }

  /** Copies a step of a fold, which was computed, to where a caller wants it. */
  copy(sink: Sink, row: Row): void {
    const { code } = this.#compiled[sink.fold] as CompiledFold;
    const place = this.#placeOf(sink.fold, row);
    const at = { t: row.t, T: row.scene.T };
    const [rows, cols] = [sizeAt(code.decl.rows, at), sizeAt(code.decl.cols, at)];
    sink.at += copyMatrix(
      this.#arena.bytes,
      code,
      { address: this.#frames.address(sink.fold, row, row.t), place, rows, cols },
      sink,
    );
  }

  #placeOf(fold: number, { scene }: Row): Place {
    return scene.places[fold] ?? (this.#buffers[fold] as Place);
  }
}

const areNeeded = (rows: readonly Row[], folds: readonly number[]): boolean =>
  rows.every(({ needs }) => folds.every((fold) => needs[fold]));

/** The rows that need a fold: mostly all of them. */
function neededBy(rows: Row[], fold: number): Row[] {
  for (const { needs } of rows) if (needs[fold] === 0) return rows.filter((row) => row.needs[fold] !== 0);
  return rows;
}
