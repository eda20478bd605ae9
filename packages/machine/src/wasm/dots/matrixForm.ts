import type { AsmFunction } from "../asm.ts";
import type { Graph, Node } from "../graph.ts";
import type { KernelFamily } from "../kernelFamily.ts";
import { limbs } from "./limbs/index.ts";
import { pairs } from "./pairs/index.ts";

/**
 * A way to lay out a constant i8 matrix `[N x K]` and to multiply it. All forms hold it as panels of eight rows, one after
 * the other, which are read from end to end: columns are padded with zeros, rows with repetitions.
 */
export type MatrixForm = {
  family: KernelFamily;
  /** Sums are exact up to so many columns. */
  maxColumns: number;
  /** Bytes of a panel of so many padded columns. */
  panelBytes(columns: number): number;
  /** Where a single weight lies: terms of its address. */
  address(graph: Graph, at: { row: Node; column: Node; panelBytes: number }): Node[];
  /** A weight from its stored byte. */
  value(graph: Graph, stored: Node, row: Node): Node;
  functions: Record<keyof MatrixKernels, AsmFunction>;
};

/** A table of rows has two words a row: the address of its i16 activations, and what `prepareRows` makes of them. */
export type MatrixKernels = {
  /**
   * Packs a matrix (`STAGING_SLACK` more bytes may be read) and returns the largest sum of absolute values of a row: with the
   * bound of the activations it bounds every sum.
   */
  packPanels(source: number, rows: number, columns: number, target: number, panels: number, panelBytes: number): number;
  /**
   * Readies rows of so many padded columns to be multiplied. Each may take `scratchBytes` of scratch, 2 a column or more; its
   * activations may lie there already.
   */
  prepareRows(table: number, rows: number, columns: number, scratch: number, scratchBytes: number): void;
  /**
   * `out[m, n] = sum over k of x[m, k] * W[n, k]` for an even number of panels from `weights` on. A range of panels is
   * computed by itself, and nothing is written but its part of `out`. i32 sums, exact modulo 2^32.
   */
  dotRows(...operands: DotOperands): void;
  /** The same with i64 sums. */
  dotRowsWide(...operands: DotOperands): void;
};

type DotOperands = [
  weights: number,
  panels: number,
  panelBytes: number,
  table: number,
  rows: number,
  columns: number,
  out: number,
  outBytes: number,
];

export const MATRIX_FORMS = { limbs, pairs } satisfies Record<string, MatrixForm>;
export type MatrixFormName = keyof typeof MATRIX_FORMS;
/** The first that this machine computes rightly is taken. */
export const MATRIX_FORM_NAMES = ["limbs", "pairs"] as const satisfies readonly MatrixFormName[];
