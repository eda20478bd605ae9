import type { DotStep } from "../compile.ts";
import { HeldBlock } from "../heldBlock.ts";
import type { FormKernels, Kernels } from "../kernels.ts";
import type { Arena } from "../memory.ts";
import { PANEL_ROWS } from "./panels.ts";

/** Weights that all rows of a block pass before the next are read: so many stay in the second cache meanwhile. */
const RANGE_BYTES = 1 << 18;
const TABLE_ROW_BYTES = 8;

/** Sums of one row after the other: address of the first, and bytes between rows. */
export type Sums = { base: number; stride: number };

/** Where a block's table of rows, its prepared rows and its sums begin. */
type Scratch = { rows: number; table: number; prepared: number; sums: number; bytes: number };

/** Computes matrix products of a block of rows, in scratch of its own. */
export class MatrixProducts {
  readonly #arena: Arena;
  readonly #kernels: Kernels;
  readonly #dots: readonly DotStep[];
  readonly #block: HeldBlock;
  #scratch: Scratch | undefined;

  constructor({ arena, kernels, dots }: { arena: Arena; kernels: Kernels; dots: readonly DotStep[] }) {
    this.#arena = arena;
    this.#kernels = kernels;
    this.#dots = dots;
    this.#block = new HeldBlock(arena, (base) => {
      if (this.#scratch !== undefined) this.#scratch = this.#scratchAt(base, this.#scratch.rows);
    });
  }

  /** Makes room for so many rows. @throws `machine.out_of_memory` */
  reserve(rows: number): void {
    if (this.#dots.length === 0 || (this.#scratch?.rows ?? 0) >= rows) return;
    this.#block.fit(this.#scratchAt(0, rows).bytes);
    this.#scratch = this.#scratchAt(this.#block.base, rows);
  }

  #scratchAt(table: number, rows: number): Scratch {
    const most = (measure: (dot: DotStep) => number) => Math.max(...this.#dots.map(measure)) * rows;
    const prepared = table + TABLE_ROW_BYTES * 8 * Math.ceil(rows / 8);
    const sums = prepared + most(preparedBytesOf);
    return { rows, table, prepared, sums, bytes: sums + most(sumBytesOf) - table };
  }

  /**
   * Sums for rows of activations at these addresses. They stand until the next product. `caller` is asked between pieces of
   * the matrix whether to go on, and may throw.
   */
  compute(dot: DotStep, activations: readonly number[], caller: { ask(): void }): Sums {
    const { packed, base, columns, wide } = dot;
    const { panels, panelBytes } = packed;
    const scratch = this.#scratch;
    const kernels = this.#kernels[packed.form];
    if (scratch === undefined || kernels === undefined) throw new Error("a matrix product without room or kernels");
    const { table, prepared, sums } = scratch;
    const rows = activations.length;
    this.#point(dot, kernels, activations);
    kernels.prepareRows(table, rows, columns, prepared, preparedBytesOf(dot));
    const outBytes = sumBytesOf(dot);
    // a single row reads the whole matrix as it comes; more rows come back to a range while it is near
    const range = rows === 1 ? panels : Math.max(2, Math.floor(RANGE_BYTES / panelBytes) & -2);
    for (let panel = 0; panel < panels; panel += range) {
      caller.ask();
      kernels[wide ? "dotRowsWide" : "dotRows"](
        base + panel * panelBytes,
        Math.min(range, panels - panel),
        panelBytes,
        table,
        rows,
        columns,
        sums + panel * (outBytes / panels),
        outBytes,
      );
    }
    return { base: sums, stride: outBytes };
  }

  /** Writes the addresses of i16 activations to the table; i8 ones are widened first. */
  #point(dot: DotStep, kernels: FormKernels, activations: readonly number[]): void {
    const { table, prepared } = this.#scratch as Scratch;
    for (let m = 0; m < activations.length; m++) {
      let x = activations[m] as number;
      if (dot.activationBits === 8) {
        x = prepared + m * preparedBytesOf(dot);
        kernels.widenRow(activations[m] as number, x, dot.terms);
      }
      this.#arena.words[(table + m * TABLE_ROW_BYTES) >>> 2] = x;
    }
  }
}

const preparedBytesOf = ({ columns }: DotStep): number => columns * 2;
/** Bytes of the sums of a row. */
export const sumBytesOf = ({ packed, wide }: DotStep): number => packed.panels * PANEL_ROWS * (wide ? 8 : 4);
