import type { Graph, Node } from "../graph.ts";

/**
 * How a constant i8 matrix `[N x K]` lies in memory: panels of eight rows, a panel in steps of two columns, a step in 16
 * bytes. Read as i16, a lane holds row n of the panel in its low byte and row n + 4 in its high byte; lanes 2n and 2n + 1
 * are the step's two columns. One instruction multiplies the lanes as they are and sums `256 * high + low`, a shift by eight
 * leaves the high rows alone, and their sums give the low rows' by subtraction: no weight is ever widened.
 * Low bytes count as unsigned there, so they hold their weight plus 128.
 * Rows are padded to whole pairs of panels, columns to a multiple of 8 by zeros.
 */
export const PANEL_ROWS = 8;
/** What a lane of two zeros holds. */
export const ZERO_LANE = 0x0080;

export const paddedRows = (rows: number): number => Math.ceil(rows / (2 * PANEL_ROWS)) * 2 * PANEL_ROWS;
export const paddedColumns = (columns: number): number => Math.ceil(columns / 8) * 8;
/** Bytes of a panel of so many padded columns. */
export const panelBytesOf = (columns: number): number => columns * PANEL_ROWS;
/** Bytes behind a matrix that packing may read. */
export const STAGING_SLACK = 8;

/** Where a single weight lies: the terms of its address that come from its row, and from its column. */
export function weightAddress(
  graph: Graph,
  panelBytes: number,
): { row: (row: Node) => Node[]; column: (column: Node) => Node[] } {
  const part = (index: Node, [divisor, mask]: readonly [bigint, bigint], bytes: number) => {
    const shifted = graph.apply("udiv", [index, graph.literal(divisor)]);
    return graph.scale32(graph.wrap(graph.apply("and", [shifted, graph.literal(mask)])), bytes);
  };
  const ALL = 0xffff_ffffn;
  return {
    row: (row) => [part(row, [8n, ALL], panelBytes), part(row, [4n, 1n], 1), part(row, [1n, 3n], 4)],
    column: (column) => [part(column, [2n, ALL], 16), part(column, [1n, 1n], 2)],
  };
}

/** A weight from its stored byte: low rows lost their sign bit. */
export function weightValue(graph: Graph, stored: Node, row: Node): Node {
  const isHigh = graph.apply("and", [graph.apply("udiv", [row, graph.literal(4n)]), graph.literal(1n)]);
  const signBit = graph.apply("mul", [graph.apply("sub", [isHigh, graph.literal(1n)]), graph.literal(128n)]);
  return graph.apply("xor", [stored, signBit]);
}
