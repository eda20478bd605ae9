import { MATRIX_FORMS, type MatrixFormName } from "../dots/matrixForm.ts";
import { PANEL_ROWS, paddedColumns, paddedRows, STAGING_SLACK } from "../dots/panels.ts";
import type { FormKernels } from "../kernels.ts";
import type { Arena } from "../memory.ts";
import { type Bench, type KnownAnswer, mismatch } from "./knownAnswer.ts";
import { values } from "./values.ts";

type Shape = { rows: number; columns: number; count: number };

/** Every tile (1 to 4 rows), rows and columns with and without padding, one turn of the inner loop and several. */
const SHAPES: Shape[] = [
  { rows: 40, columns: 23, count: 7 },
  { rows: 16, columns: 4, count: 2 },
  { rows: 33, columns: 66, count: 1 },
  { rows: 48, columns: 16, count: 6 },
  // sums in parts, where 32 bits do not hold a whole one
  { rows: 9, columns: 1_033, count: 2 },
];

/** Of every form; one whose instructions this machine does not have fails. */
export const matrixAnswers = ({ arena, kernels }: Bench): KnownAnswer[] =>
  Object.entries(MATRIX_FORMS).flatMap(([form, { family }]): KnownAnswer[] => {
    const own = kernels[form as MatrixFormName];
    if (own !== undefined)
      return SHAPES.map((shape) => ({ family, check: matrixCheck(arena, form as MatrixFormName, own, shape) }));
    const check = () => {
      throw mismatch(form, { missing: true });
    };
    return [{ family, check }];
  });

function matrixCheck(
  arena: Arena,
  form: MatrixFormName,
  kernels: FormKernels,
  { rows, columns, count }: Shape,
): () => void {
  const [rowCount, columnCount] = [paddedRows(rows), paddedColumns(columns)];
  const panels = rowCount / PANEL_ROWS;
  const panelBytes = MATRIX_FORMS[form].panelBytes(columnCount);
  const sizes = [
    rows * columns + STAGING_SLACK,
    panels * panelBytes,
    count * columns * 2 + 16,
    count * columnCount * 2,
    rowCount * count * 8,
    count * 8,
  ];
  const blocks = sizes.map((bytes) => arena.allocate(bytes));
  const [source, packed, x, scratch, out, table] = blocks as [number, number, number, number, number, number];
  const next = { weight: values(8, 1), activation: values(16, 5) };
  const weights = Array.from({ length: rows * columns }, () => next.weight.next().value);
  const inputs = Array.from({ length: count * columns }, () => next.activation.next().value);
  // a row and activations of extremes side by side, which no machine may saturate
  weights.fill(-128, 0, columns).fill(127, columns, 2 * columns);
  inputs.fill(columns % 2 === 0 ? 32_767 : -32_768, 0, columns);
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
  return () => {
    const view = new DataView(arena.memory.buffer);
    for (const [at, block] of blocks.entries()) arena.bytes.fill(0, block, block + (sizes[at] as number));
    weights.forEach((value, at) => {
      view.setInt8(source + at, value);
    });
    inputs.forEach((value, at) => {
      view.setInt16(x + at * 2, value, true);
    });
    for (let m = 0; m < count; m++) view.setInt32(table + m * 8, x + m * columns * 2, true);

    const norm = kernels.packPanels(source, rows, columns, packed, panels, panelBytes);
    if (norm !== largest) throw mismatch("packPanels", { form, rows, columns, actual: norm, expected: largest });
    kernels.prepareRows(table, count, columnCount, scratch, columnCount * 2);
    for (const [kernel, sumBytes] of [
      ["dotRows", 4],
      ["dotRowsWide", 8],
    ] as const) {
      // two ranges, as callers split a matrix
      for (const [first, taken] of [
        [0, 2],
        [2, panels - 2],
      ] as const)
        kernels[kernel](
          packed + first * panelBytes,
          taken,
          panelBytes,
          table,
          count,
          columnCount,
          out + first * PANEL_ROWS * sumBytes,
          rowCount * sumBytes,
        );
      products.forEach((row, m) => {
        row.forEach((product, n) => {
          const at = out + (m * rowCount + n) * sumBytes;
          const actual = sumBytes === 4 ? view.getInt32(at, true) : Number(view.getBigInt64(at, true));
          const known = sumBytes === 4 ? product | 0 : product;
          if (actual !== known) throw mismatch(kernel, { form, rows, columns, row: n, actual, expected: known });
        });
      });
    }
    kernels.widenRow(source, out, rowCount >> 1);
    for (let at = 0; at < rowCount >> 1; at++)
      if (view.getInt16(out + at * 2, true) !== weights[at]) throw mismatch("widenRow", { form, at });
  };
}
