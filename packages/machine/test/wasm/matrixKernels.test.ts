import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MATRIX_FORM_NAMES, MATRIX_FORMS } from "../../src/wasm/dots/matrixForm.ts";
import { PANEL_ROWS, paddedColumns, paddedRows, STAGING_SLACK } from "../../src/wasm/dots/panels.ts";
import { compileKernels, type FormKernels } from "../../src/wasm/kernels.ts";
import { Arena } from "../../src/wasm/memory.ts";
import { relaxedDotTakesBytes } from "../support/relaxedDot.ts";

const arena = new Arena(2 ** 26);
const kernels = compileKernels(arena.memory);
const forms = MATRIX_FORM_NAMES.filter((form) => form !== "limbs" || relaxedDotTakesBytes());

const aroundEdges = (...edges: number[]) =>
  fc.oneof(...edges.map((edge) => fc.integer({ min: Math.max(1, edge - 1), max: edge + 1 })));
const values = (bits: 8 | 16) => {
  const half = 2 ** (bits - 1);
  return fc.oneof(fc.constantFrom(-half, half - 1, 0, -1), fc.integer({ min: -half, max: half - 1 }));
};

/** A product, and where its panels are divided: each range is computed by itself. */
const products = fc
  .record({
    rows: aroundEdges(1, 4, 8, 16, 32, 48),
    columns: aroundEdges(1, 4, 8, 16, 64, 504, 1_008),
    count: aroundEdges(1, 3, 4, 8, 12),
  })
  .chain(({ rows, columns, count }) =>
    fc.record({
      ...{ rows: fc.constant(rows), columns: fc.constant(columns), count: fc.constant(count) },
      // a few values, repeated at different pace: whole rows of extremes are as likely as mixed ones
      weights: fc.array(values(8), { minLength: 1, maxLength: 7 }),
      inputs: fc.array(values(16), { minLength: 1, maxLength: 5 }),
      division: fc.integer({ min: 0, max: paddedRows(rows) / PANEL_ROWS / 2 }).map((pairs) => pairs * 2),
    }),
  );
type Product = typeof products extends fc.Arbitrary<infer P> ? P : never;

const weightAt = ({ weights, columns }: Product, n: number, k: number) =>
  weights[(n * columns + k) % weights.length] ?? 0;
const inputAt = ({ inputs, columns }: Product, m: number, k: number) => inputs[(m * columns + k) % inputs.length] ?? 0;

function exact(product: Product): bigint[][] {
  const of = (m: number, n: number) => {
    let sum = 0;
    for (let k = 0; k < product.columns; k++) sum += inputAt(product, m, k) * weightAt(product, n, k);
    return BigInt(sum);
  };
  return Array.from({ length: product.count }, (_, m) => Array.from({ length: product.rows }, (_, n) => of(m, n)));
}

function computed(form: (typeof forms)[number], product: Product, kernel: "dotRows" | "dotRowsWide"): bigint[][] {
  const { rows, columns, count, division } = product;
  const own = kernels[form] as FormKernels;
  const [width, panels] = [paddedColumns(columns), paddedRows(rows) / PANEL_ROWS];
  const panelBytes = MATRIX_FORMS[form].panelBytes(width);
  const sumBytes = kernel === "dotRows" ? 4 : 8;
  const outBytes = panels * PANEL_ROWS * sumBytes;
  const sizes = [rows * columns + STAGING_SLACK, panels * panelBytes, count * columns * 2 + 16, count * width * 2];
  const blocks = [...sizes, count * outBytes, count * 8].map((bytes) => arena.allocate(bytes));
  const [source, packed, x, scratch, out, table] = blocks as [number, number, number, number, number, number];
  const view = new DataView(arena.memory.buffer);
  // nothing may lean on what memory held
  for (const at of [source, x, scratch, out]) arena.bytes.fill(0xa5, at, at + 64);
  for (let at = 0; at < rows * columns; at++) view.setInt8(source + at, weightAt(product, 0, at));
  for (let at = 0; at < count * columns; at++) view.setInt16(x + at * 2, inputAt(product, 0, at), true);
  for (let m = 0; m < count; m++) view.setUint32(table + m * 8, x + m * columns * 2, true);
  own.packPanels(source, rows, columns, packed, panels, panelBytes);
  own.prepareRows(table, count, width, scratch, width * 2);
  for (const [from, end] of [
    [division, panels],
    [0, division],
  ] as const) {
    const weights = packed + from * panelBytes;
    own[kernel](weights, end - from, panelBytes, table, count, width, out + from * PANEL_ROWS * sumBytes, outBytes);
  }
  const sum = (m: number, n: number) => {
    const at = out + m * outBytes + n * sumBytes;
    return sumBytes === 4 ? BigInt(view.getInt32(at, true)) : view.getBigInt64(at, true);
  };
  const result = Array.from({ length: count }, (_, m) => Array.from({ length: rows }, (_, n) => sum(m, n)));
  for (const block of blocks) arena.free(block);
  return result;
}

/** The sums farthest from 0. */
const LARGEST: [Product][] = [-32_768, 32_767].map((input) => [
  { rows: 16, columns: 1_009, count: 2, weights: [-128], inputs: [input], division: 0 },
]);

describe.each(forms)("matrix products in %s", (form) => {
  it("are exact modulo 2^32 in 32 bits, and exact in 64", () =>
    fc.assert(
      fc.property(products, (product) => {
        const sums = exact(product);
        expect(computed(form, product, "dotRowsWide")).toEqual(sums);
        expect(computed(form, product, "dotRows")).toEqual(sums.map((row) => row.map((sum) => BigInt.asIntN(32, sum))));
      }),
      { numRuns: 400, examples: LARGEST },
    ));
});
