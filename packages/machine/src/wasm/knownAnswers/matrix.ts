import { PANEL_ROWS, paddedColumns, paddedRows, panelBytesOf, STAGING_SLACK } from "../dots/panels.ts";
import { type Bench, type KnownAnswer, mismatch } from "./knownAnswer.ts";
import { values } from "./values.ts";

type Shape = { rows: number; columns: number; count: number };

/** Every tile (4, 3, 2 and 1 rows), rows and columns with and without padding, one turn of the inner loop and several. */
const SHAPES: Shape[] = [
  { rows: 40, columns: 23, count: 7 },
  { rows: 16, columns: 4, count: 2 },
  { rows: 33, columns: 66, count: 1 },
  { rows: 48, columns: 16, count: 6 },
];

export const matrixAnswers = (bench: Bench): KnownAnswer[] => SHAPES.map((shape) => matrixAnswer(bench, shape));

function matrixAnswer({ arena, kernels }: Bench, { rows, columns, count }: Shape): KnownAnswer {
  const [rowCount, columnCount] = [paddedRows(rows), paddedColumns(columns)];
  const panels = rowCount / PANEL_ROWS;
  const panelBytes = panelBytesOf(columnCount);
  const sizes = [
    rows * columns + STAGING_SLACK,
    panels * panelBytes,
    count * columns * 2 + 16,
    rowCount * count * 4,
    rowCount * count * 8,
    count * 8,
  ];
  const blocks = sizes.map((bytes) => arena.allocate(bytes));
  const [source, packed, x, sums, wide, table] = blocks as [number, number, number, number, number, number];
  const next = { weight: values(8, 1), activation: values(16, 5) };
  const weights = Array.from({ length: rows * columns }, () => next.weight.next().value);
  const inputs = Array.from({ length: count * columns }, () => next.activation.next().value);
  const expected = (m: number, n: number) => {
    let sum = 0;
    for (let k = 0; k < columns; k++) sum += (weights[n * columns + k] as number) * (inputs[m * columns + k] as number);
    return sum;
  };
  const norms = Array.from({ length: rows }, (_, n) =>
    weights.slice(n * columns, (n + 1) * columns).reduce((sum, value) => sum + Math.abs(value), 0),
  );
  const largest = Math.max(...norms);
  const products = Array.from({ length: count }, (_, m) => Array.from({ length: rows }, (_, n) => expected(m, n)));
  const check = () => {
    const view = new DataView(arena.memory.buffer);
    for (const [at, block] of blocks.entries()) arena.bytes.fill(0, block, block + (sizes[at] as number));
    weights.forEach((value, at) => {
      view.setInt8(source + at, value);
    });
    inputs.forEach((value, at) => {
      view.setInt16(x + at * 2, value, true);
    });
    const point = (column: number) => {
      for (let m = 0; m < count; m++) view.setInt32(table + m * 8, x + (m * columns + column) * 2, true);
    };

    const norm = kernels.packPanels(source, rows, columns, packed, panels, panelBytes);
    if (norm !== largest) throw mismatch("packPanels", { rows, columns, actual: norm, expected: largest });
    point(0);
    kernels.balanceRows(table, count, columnCount * 2);
    // two ranges, as callers split a matrix
    for (const [first, taken] of [
      [0, 2],
      [2, panels - 2],
    ] as const)
      kernels.dotRows(
        packed + first * panelBytes,
        taken,
        panelBytes,
        table,
        count,
        columnCount * 2,
        sums + first * PANEL_ROWS * 4,
        rowCount * 4,
      );
    products.forEach((row, m) => {
      row.forEach((known, n) => {
        const actual = view.getInt32(sums + (m * rowCount + n) * 4, true);
        if (actual !== known) throw mismatch("dotRows", { rows, columns, row: n, actual, expected: known });
      });
    });
    // the first columns and then the others, as 64-bit sums take them
    for (const [column, taken] of [
      [0, 8],
      [8, columnCount - 8],
    ] as const) {
      point(column);
      kernels.balanceRows(table, count, taken * 2);
      const part = packed + column * PANEL_ROWS;
      kernels.dotRows(part, panels, panelBytes, table, count, taken * 2, sums, rowCount * 4);
      kernels.widenSums(sums, wide, rowCount * count);
    }
    for (let n = 0; n < rows; n++)
      if (view.getBigInt64(wide + n * 8, true) !== BigInt(products[0]?.[n] as number))
        throw mismatch("widenSums", { row: n });
    kernels.widenRow(source, sums, rowCount >> 1);
    for (let at = 0; at < rowCount >> 1; at++)
      if (view.getInt16(sums + at * 2, true) !== weights[at]) throw mismatch("widenRow", { at });
  };
  return { family: "matrix", check };
}
