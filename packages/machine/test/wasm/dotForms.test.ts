import { describe, expect, it } from "vitest";
import { clamp, dot, mul, programBuilder, shr, size } from "../../src/index.ts";
import { openWasmWith } from "../../src/wasm/index.ts";
import type { KernelFamily } from "../../src/wasm/kernelFamily.ts";

const SIZES = [1, 3, 4, 15, 16, 17, 33, 64];
const EXTREMES = { least: -128, greatest: 127 } as const;

type Product = { rows: number; columns: number; bits: 8 | 16; weights: number[]; inputs: number[] };

/** `x[t] * W` for T rows at once, by the engine: the activations are claimed columns spread over a fold. */
async function products(at: Product, without: readonly KernelFamily[]) {
  const type = at.bits === 8 ? "i8" : "i16";
  const T = at.inputs.length / at.columns;
  const p = programBuilder({ maxT: T });
  const request = p.request({ type, rows: T, cols: at.columns });
  const W = p.constant({ type: "i8", rows: at.rows, cols: at.columns });
  const x = p.fold({ type, cols: at.columns }, ({ t, c }) => request.at(t, c));
  const y = p.sum(
    { type: "i64", cols: at.rows, axis: at.columns },
    { body: ({ t, c, k }) => dot(x.at(t, 0, k), W.at(c, k)) },
  );
  const z = p.sum(
    { type: "i16", cols: at.rows, axis: at.columns, order: 1 },
    {
      body: ({ t, c, k }) => dot(x.at(t, 0, k), W.at(c, k)),
      finish: ({ acc }) => clamp(shr(mul(acc, 77), 9), -30_000, 30_000),
    },
  );
  p.fold({ type: "i8" }, () => 1);
  const program = p.build();
  const engine = await openWasmWith(program, () => new Uint8Array(Int8Array.from(at.weights).buffer), { without });
  expect(engine.explain().filter(({ class: kind }) => kind === "kernel")).toHaveLength(2);
  const elements = at.bits === 8 ? Int8Array.from(at.inputs) : Int16Array.from(at.inputs);
  const want = [y, z].map(({ stage }) => ({ stage, fold: 0, steps: "all" as const }));
  const [wide = new Uint8Array(), narrow = new Uint8Array()] = engine.run({
    T,
    request: [new Uint8Array(elements.buffer)],
    claimed: [],
    want,
  });
  return { sums: [...new BigInt64Array(wide.buffer)], finished: [...new Int16Array(narrow.buffer)] };
}

function expected({
  rows,
  columns,
  weights,
  inputs,
}: {
  rows: number;
  columns: number;
  weights: number[];
  inputs: number[];
}) {
  const sums = Array.from({ length: (inputs.length / columns) * rows }, (_, e) => {
    const [t, n] = [Math.floor(e / rows), e % rows];
    let sum = 0n;
    for (let k = 0; k < columns; k++)
      sum += BigInt(inputs[t * columns + k] ?? 0) * BigInt(weights[n * columns + k] ?? 0);
    return sum;
  });
  const finished = sums.map((sum) => {
    const value = (sum * 77n + 256n) >> 9n;
    return Number(value > 30_000n ? 30_000n : value < -30_000n ? -30_000n : value);
  });
  return { sums, finished };
}

const spread = (length: number, bits: number, seed: number) =>
  Array.from({ length }, (_, i) => ((Math.imul(i * 2 + seed, 0x9e3779b1) >>> 7) % 2 ** bits) - 2 ** (bits - 1));

/** Forms of matrix products by what stands before them; without relaxed instructions both are the same. */
const FORMS = { "the first form": [], "the next form": ["relaxed"] } as const;

describe.each(Object.entries(FORMS))("products with a constant i8 matrix in %s", (_, without) => {
  it.each([8, 16] as const)("are exact on i%i activations for every size around the kernels' edges", async (bits) => {
    for (const rows of SIZES)
      for (const columns of SIZES) {
        const count = 1 + ((rows + columns) % 7);
        const at = {
          rows,
          columns,
          bits,
          weights: spread(rows * columns, 8, 1),
          inputs: spread(count * columns, bits, 9),
        };
        expect(await products(at, without), `${rows} x ${columns}, ${count} rows`).toEqual(expected(at));
      }
  });

  it.each([
    { columns: 510, weight: EXTREMES.least, input: -32_768 },
    { columns: 512, weight: EXTREMES.least, input: -32_768 },
    { columns: 513, weight: EXTREMES.least, input: 32_767 },
    { columns: 1_100, weight: EXTREMES.greatest, input: -32_768 },
  ])("do not overflow at $columns times $weight times $input", async ({ columns, weight, input }) => {
    const at = {
      rows: 35,
      columns,
      bits: 16 as const,
      // a row of extremes among rows that differ in every column
      weights: spread(35 * columns, 8, 3).map((value, i) => (Math.floor(i / columns) % 9 === 0 ? weight : value)),
      inputs: spread(7 * columns, 16, 5).map((value, i) => (Math.floor(i / columns) % 2 === 0 ? input : value)),
    };
    expect(await products(at, without)).toEqual(expected(at));
  });

  it.each([1, 4, 7, 8, 9, 24])("leave single weights where other folds find them, %i columns", async (columns) => {
    const rows = 21;
    const weights = spread(rows * columns, 8, 11);
    const p = programBuilder({ maxT: rows });
    const W = p.constant({ type: "i8", rows, cols: columns });
    const row = p.fold({ type: "i16", cols: columns }, ({ t, c }) => W.at(t, c));
    const column = p.fold({ type: "i16", cols: rows }, ({ t, c }) => W.at(c, t));
    const shared = p.sum(
      { type: "i32", cols: rows, axis: columns },
      { body: ({ t, c, k }) => dot(row.at(t, 0, k), W.at(c, k)) },
    );
    p.fold({ type: "i8" }, () => 1);
    const engine = await openWasmWith(p.build(), () => new Uint8Array(Int8Array.from(weights).buffer), { without });
    expect(engine.explain()[2]?.class).toBe("kernel");
    const want = [row, column, shared].map(({ stage }) => ({ stage, fold: 0, steps: "all" as const }));
    const [byRow, byColumn] = engine.run({ T: rows, request: [], claimed: [], want });
    expect([...new Int16Array(byRow?.buffer ?? new ArrayBuffer(0))]).toEqual(weights);
    const steps = Array.from({ length: rows }, (_, t) =>
      Array.from({ length: rows }, (_, c) => weights[c * columns + Math.min(t, columns - 1)]),
    );
    expect([...new Int16Array(byColumn?.buffer ?? new ArrayBuffer(0))]).toEqual(steps.flat());
  });
});

describe("sums over runs of two folds", () => {
  it("are exact at the ends of i16, where two products of a lane overflow 32 bits", async () => {
    for (const [left, right] of [
      [-32_768, -32_768],
      [32_767, -32_768],
      [32_767, 32_767],
    ] as const) {
      const p = programBuilder({ maxT: 70 });
      const a = p.fold({ type: "i16", cols: 9 }, () => left);
      const b = p.fold({ type: "i16" }, ({ t }) => clamp(mul(t, 10_000_000), right, right));
      const y = p.sum({ type: "i64", axis: size.history }, { body: ({ t, k }) => mul(a.at(t, 0, 0), b.at(k, 0, 0)) });
      const h = p.fold({ type: "i16", cols: size.history }, () => left);
      const z = p.sum({ type: "i64", axis: size.history }, { body: ({ t, k }) => dot(h.at(t, 0, k), b.at(k, 0, 0)) });
      p.fold({ type: "i8" }, () => 1);
      const engine = await openWasmWith(p.build(), () => new Uint8Array(), {});
      const want = [y, z].map(({ stage }) => ({ stage, fold: 0, steps: "all" as const }));
      for (const bytes of engine.run({ T: 70, request: [], claimed: [], want }))
        expect([...new BigInt64Array(bytes.buffer)]).toEqual(
          Array.from({ length: 70 }, (_, t) => BigInt(left) * BigInt(right) * BigInt(t + 1)),
        );
    }
  });

  it("adds up operands so small that a lane holds more terms than there are", async () => {
    const p = programBuilder({ maxT: 4 });
    const weights = p.constant({ type: "i8", rows: 1, cols: 3 });
    const x = p.fold({ type: "i8", cols: 3 }, ({ c }) => c);
    p.sum({ type: "i32", axis: 3 }, { body: ({ t, k }) => dot(x.at(t, 0, k), weights.at(0, k)) });
    p.fold({ type: "i8" }, () => 1);
    const engine = await openWasmWith(p.build(), () => Uint8Array.from([255, 255, 1]), {});
    const [sums] = engine.run({ T: 2, request: [], claimed: [], want: [{ stage: 1, fold: 0, steps: "all" }] });
    expect([...new Int32Array(sums?.buffer ?? new ArrayBuffer(0))]).toEqual([1, 1]);
  });
});
