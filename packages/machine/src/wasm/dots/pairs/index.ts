import type { MatrixForm } from "../matrixForm.ts";
import { ALL_BITS, bitsTimes, PANEL_ROWS } from "../panels.ts";
import { packPairs } from "./packing.ts";
import { balanceRows } from "./prepare.ts";
import { dotRows, dotRowsWide } from "./rows.ts";

/**
 * Two rows in the lanes of one: a panel lies in steps of two columns, 16 bytes each. Read as i16, a lane holds row n of the
 * panel in its low byte and row n + 4 in its high byte; lanes 2n and 2n + 1 are the step's two columns. Multiplied as they are
 * the lanes sum `256 * high + low`, shifted by eight they sum `high`, and a subtraction gives `low`: no weight is widened.
 * Low bytes count as unsigned there, so they hold their weight plus 128, and every low sum starts from -128 times the sum of
 * the activations.
 */
export const pairs: MatrixForm = {
  family: "matrix",
  maxColumns: Number.POSITIVE_INFINITY,
  panelBytes: (columns) => columns * PANEL_ROWS,
  address: (graph, { row, column, panelBytes }) => [
    bitsTimes(graph, row, [3, ALL_BITS], panelBytes),
    bitsTimes(graph, row, [2, 1], 1),
    bitsTimes(graph, row, [0, 2], 4),
    bitsTimes(graph, column, [1, ALL_BITS], 16),
    bitsTimes(graph, column, [0, 1], 2),
  ],
  value: (graph, stored, row) => {
    const isHigh = graph.apply("and", [graph.apply("udiv", [row, graph.literal(4n)]), graph.literal(1n)]);
    const signBit = graph.apply("mul", [graph.apply("sub", [isHigh, graph.literal(1n)]), graph.literal(128n)]);
    return graph.apply("xor", [stored, signBit]);
  },
  functions: { packPanels: packPairs, prepareRows: balanceRows, dotRows, dotRowsWide },
};
