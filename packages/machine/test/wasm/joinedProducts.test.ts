import { describe, expect, it } from "vitest";
import {
  clamp,
  dot,
  eq,
  type FoldHandle,
  mul,
  openReference,
  programBuilder,
  shr,
  size,
  sub,
  type TensorHandle,
} from "../../src/index.ts";
import type { DotStep } from "../../src/wasm/compile.ts";
import { joinProducts } from "../../src/wasm/dots/joined.ts";

import { openWasm } from "../../src/wasm/index.ts";

const segment = (fold: number, isProduct: boolean) => ({ folds: [fold], dot: isProduct, independent: true });

/** Products over 8 columns, each of two panels of 64 bytes, behind one another from address 0; `change` says what differs. */
function joinedOf(
  change: Record<number, Partial<DotStep> & { source?: number; panelBytes?: number }>,
  others: number[] = [],
) {
  const segments = [0, 1, 2, 3].map((fold) => segment(fold, !others.includes(fold)));
  return joinProducts(segments, (fold) => {
    const { source = 9, panelBytes = 64, ...rest } = change[fold] ?? {};
    const packed = { form: "pairs" as const, panels: 2, panelBytes, largestNorm: 1 };
    const form = { weights: 0, activations: 0, tensor: 0, terms: 8, elements: 16, activationBits: 16 as const };
    return { source, dot: { ...form, base: fold * 128, packed, columns: 8, wide: false, ...rest } };
  }).map(({ folds, product }) => ({ folds, panels: product?.dot.packed.panels, base: product?.dot.base }));
}

describe("joinProducts", () => {
  it("joins products of one source whose panels are neighbours", () => {
    expect(joinedOf({})).toEqual([{ folds: [0, 1, 2, 3], panels: 8, base: 0 }]);
  });

  it.each([
    { what: "another source", change: { source: 8 } },
    { what: "other panels", change: { panelBytes: 96 } },
    { what: "other columns", change: { columns: 16 } },
    { what: "64-bit sums", change: { wide: true } },
    { what: "a place of its own", change: { base: 1_024 } },
  ])("does not join a product with $what", ({ change }) => {
    const joined = joinedOf({ 2: change });
    expect(joined.slice(0, 2)).toEqual([
      { folds: [0, 1], panels: 4, base: 0 },
      { folds: [2], panels: 2, base: change.base ?? 256 },
    ]);
    expect(joined.at(-1)?.folds).toEqual([3]);
  });

  it("does not join over what stands between", () => {
    expect(joinedOf({}, [1]).map(({ folds }) => folds)).toEqual([[0], [1], [2, 3]]);
  });
});

describe("joined products", () => {
  const p = programBuilder({ maxT: 80 });
  const tokens = p.claimed({ type: "i32", rows: 1, cols: size.steps() });
  const embedding = p.constant({ type: "i8", rows: 11, cols: 21 });
  const matrices = [5, 33, 8].map((rows) => p.constant({ type: "i8", rows, cols: 21 }));
  const x = p.fold({ type: "i16", cols: 21 }, ({ t, c }) => mul(embedding.at(tokens.at(0, t), c), 250));
  const products: FoldHandle[] = [];
  for (const matrix of matrices) products.push(product(matrix, products.at(-1)));
  p.fold({ type: "i8" }, ({ t }) => eq(tokens.at(0, t), tokens.at(0, t)));
  const program = p.build();

  /** What finishes a product may load the product before it. */
  function product(matrix: TensorHandle, before: FoldHandle | undefined): FoldHandle {
    return p.sum(
      { type: "i32", cols: matrix.rows, axis: 21 },
      {
        body: ({ t, c, k }) => dot(x.at(t, 0, k), matrix.at(c, k)),
        finish: ({ t, c, acc }) => (before ? sub(shr(acc, 3), before.at(t, 0, c)) : clamp(acc, -100_000, 90_000)),
      },
    );
  }

  const source = (index: number) => {
    const { rows, cols } = program.constants[index] as { rows: number; cols: number };
    return Uint8Array.from({ length: rows * cols }, (_, at) => (at * 89 + index * 31 + 7) % 251);
  };

  it.each([[[0, 1, 2]], [[1]], [[0, 2]], [[2]]])("give the reference's sums where %j are wanted", async (wanted) => {
    const want = wanted
      .map((at) => products[at] as FoldHandle)
      .map(({ stage, fold }) => ({ stage, fold, steps: "all" as const }));
    const claimed = [new Uint8Array(Int32Array.from({ length: 70 }, (_, t) => (t * 5) % 11).buffer)];
    const engine = await openWasm(program, source);
    expect(engine.run({ T: 70, request: [], claimed, want })).toEqual(
      (await openReference(program, source)).run({ T: 70, request: [], claimed, want }),
    );
    engine.close();
  });

  it("give each step what it wants, where the rows of a block want different folds", async () => {
    const [first, , last] = products as [FoldHandle, FoldHandle, FoldHandle];
    const results = await Promise.all(
      [openWasm, openReference].map(async (open) => {
        const engine = await open(program, source);
        return engine.advance(
          [first, last].map(({ stage, fold }, i) => ({
            session: engine.open({ request: [] }),
            steps: 3,
            claimed: [new Uint8Array(Int32Array.from([i, 4, 9]).buffer)],
            want: [{ stage, fold, steps: "last" as const }],
          })),
        );
      }),
    );
    expect(results[0]).toEqual(results[1]);
  });
});
