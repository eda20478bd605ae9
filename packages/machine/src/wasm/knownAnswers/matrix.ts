import { paddedColumns, paddedRows } from "../dotKernels.ts";
import { type Bench, type KnownAnswer, mismatch } from "./knownAnswer.ts";
import { values } from "./values.ts";

type Shape = { rows: number; columns: number; count: number };

const SHAPES: Shape[] = [
  { rows: 40, columns: 23, count: 3 },
  { rows: 16, columns: 4, count: 2 },
  { rows: 33, columns: 66, count: 1 },
];

export const matrixAnswers = (bench: Bench): KnownAnswer[] => SHAPES.map((shape) => matrixAnswer(bench, shape));

function matrixAnswer({ arena, kernels }: Bench, { rows, columns, count }: Shape): KnownAnswer {
  const [rowCount, columnCount] = [paddedRows(rows), paddedColumns(columns)];
  const panelBytes = columnCount * 8;
  const sizes = [
    rows * columns,
    rowCount * columnCount,
    count * columns * 2 + 16,
    rowCount * count * 4,
    rowCount * count * 8,
    count * 4,
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
    for (let m = 0; m < count; m++) view.setInt32(table + m * 4, x + m * columns * 2, true);
    const compare = (kernel: string, base: number, m: number) => {
      for (let n = 0; n < rows; n++) {
        const [actual, known] = [view.getInt32(base + n * 4, true), products[m]?.[n]];
        if (actual !== known) throw mismatch(kernel, { rows, columns, row: n, actual, expected: known });
      }
    };

    const norm = kernels.packPanels(source, rows, columns, packed, panelBytes);
    if (norm !== largest) throw mismatch("packPanels", { rows, columns, actual: norm, expected: largest });
    kernels.dotOneRow(packed, rowCount / 8, panelBytes, x, columnCount * 2, sums);
    compare("dotOneRow", sums, 0);
    arena.bytes.fill(0, sums, sums + rowCount * count * 4);
    kernels.dotRows(packed, rowCount / 8, panelBytes, table, 0, columnCount * 2, count, sums, rowCount * 4);
    for (let m = 0; m < count; m++) compare("dotRows", sums + m * rowCount * 4, m);
    kernels.widenSums(sums, wide, rowCount * count);
    kernels.widenSums(sums, wide, rowCount * count);
    for (let n = 0; n < rows; n++)
      if (view.getBigInt64(wide + n * 8, true) !== 2n * BigInt(products[0]?.[n] as number))
        throw mismatch("widenSums", { row: n });
    kernels.widenRow(source, sums, rowCount >> 1);
    for (let at = 0; at < rowCount >> 1; at++)
      if (view.getInt16(sums + at * 2, true) !== weights[at]) throw mismatch("widenRow", { at });
  };
  return { family: "matrix", check };
}
