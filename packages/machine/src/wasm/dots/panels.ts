import type { Graph, Node } from "../graph.ts";

export const PANEL_ROWS = 8;
/** Bytes behind a matrix that packing may read. */
export const STAGING_SLACK = 8;

/** Panels come in pairs, so that one row of activations can read two streams of them. */
export const paddedRows = (rows: number): number => Math.ceil(rows / (2 * PANEL_ROWS)) * 2 * PANEL_ROWS;
export const paddedColumns = (columns: number): number => Math.ceil(columns / 8) * 8;

/** `bytes` for each of some bits of an index: those from `2^low` on, `2^count` values of them. */
export function bitsTimes(graph: Graph, index: Node, [low, count]: readonly [number, number], bytes: number): Node {
  const shifted = graph.apply("udiv", [index, graph.literal(1n << BigInt(low))]);
  const taken = graph.apply("and", [shifted, graph.literal((1n << BigInt(count)) - 1n)]);
  return graph.scale32(graph.wrap(taken), bytes);
}

/** As many bits as an index can have. */
export const ALL_BITS = 32;
