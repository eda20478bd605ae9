import type { MatrixForm } from "../matrixForm.ts";
import { ALL_BITS, bitsTimes, PANEL_ROWS } from "../panels.ts";
import { packLimbs, START_BYTES } from "./packing.ts";
import { splitRows } from "./prepare.ts";
import { dotRows, dotRowsWide } from "./rows.ts";

/**
 * Activations in two bytes: x + 32,768 is `256 * high + low` with both in 0..255, and the relaxed dot product of 16 bytes takes
 * them as they are where it reads its second operand as unsigned and does not saturate, which WebAssembly leaves to the
 * machine: the known answers decide. A panel lies in steps of four columns, 32 bytes each, four columns of a row in a word.
 * What the offset of the activations adds to the high sums is taken from them at the panel's end, where it is stored.
 */
export const limbs: MatrixForm = {
  family: "relaxed",
  // 255 * 128 * columns fits 31 bits
  maxColumns: 65_536,
  panelBytes: (columns) => columns * PANEL_ROWS + START_BYTES,
  address: (graph, { row, column, panelBytes }) => [
    bitsTimes(graph, row, [3, ALL_BITS], panelBytes),
    bitsTimes(graph, row, [0, 3], 4),
    bitsTimes(graph, column, [2, ALL_BITS], 32),
    bitsTimes(graph, column, [0, 2], 1),
  ],
  value: (_, stored) => stored,
  functions: { packPanels: packLimbs, prepareRows: splitRows, dotRows, dotRowsWide },
};
