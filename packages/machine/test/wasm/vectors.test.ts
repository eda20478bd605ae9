import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  add,
  and,
  clamp,
  ELEMENT_TYPES,
  type Expr,
  eq,
  lt,
  max,
  min,
  mul,
  openReference,
  or,
  programBuilder,
  RANGE,
  select,
  shl,
  shr,
  sub,
  type TensorHandle,
  udiv,
  type Value,
  xor,
} from "../../src/index.ts";
import { openWasmWith } from "../../src/wasm/index.ts";

const COLUMNS = 37;
type Draw = { choose: (count: number) => number };

/** An elementwise expression over `at` with a vector form: ranges are kept small often, so that both lane widths occur. */
function expression(draw: Draw, tensors: TensorHandle[], at: Expr, depth: number): Value {
  const next = () => expression(draw, tensors, at, depth - 1);
  const tensor = () => tensors[draw.choose(tensors.length)] as TensorHandle;
  if (depth === 0 || draw.choose(8) === 0)
    return [
      () => tensor().at(0, at),
      () => tensor().at(0, at),
      () => tensor().at(0, add(at, draw.choose(4))),
      () => tensor().at(0, xor(at, 1)),
      () => at,
      () =>
        [0, 1, -1, 7, -128, 32_767, -32_768, 2 ** 31 - 1, -(2 ** 31), 2n ** 40n, -(2n ** 63n), 2n ** 63n - 1n][
          draw.choose(12)
        ] as Value,
    ][draw.choose(6)]?.() as Value;
  const bits = [0, 1, 2, 8, 15, 16, 31, 32, 33, 34, 40, 62, 63][draw.choose(13)] as number;
  return [
    () => add(next(), next()),
    () => sub(next(), next()),
    () => mul(next(), next()),
    () => shr(next(), bits),
    () => shr(mul(tensor().at(0, at), tensor().at(0, at)), bits),
    () => shr(next(), and(tensors[0]?.at(0, 0) as Expr, 31)),
    () => shl(next(), bits),
    () => and(next(), [255, -65_536, 2 ** 32 - 1, next()][draw.choose(4)] as Value),
    () => or(next(), next()),
    () => xor(next(), next()),
    () => min(next(), next()),
    () => max(next(), next()),
    () => select([lt(next(), next()), eq(next(), next()), next()][draw.choose(3)] as Value, next(), next()),
    () => udiv(max(next(), 0), 2 ** draw.choose(20)),
    () => tensor().at(0, and(next(), 31)),
    () => clamp(next(), -32_768, 32_767),
    () => clamp(next(), -(2 ** 31), 2 ** 31 - 1),
  ][draw.choose(17)]?.() as Value;
}

describe("vector code", () => {
  it("computes elements, sums and argmaxes like the reference", async () => {
    const classes = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(fc.nat(2 ** 30)), fc.infiniteStream(fc.nat(255)), async (numbers, bytes) => {
        const draw = { choose: (count: number) => (numbers.next().value ?? 0) % count };
        const p = programBuilder({ maxT: 2 });
        const tensors = ELEMENT_TYPES.map((type) => p.request({ type, rows: 1, cols: COLUMNS }));
        const type = () => ELEMENT_TYPES[draw.choose(4)] ?? "i64";
        const folds = [
          ...[0, 1, 2].map(() =>
            p.fold({ type: type(), cols: COLUMNS, rows: 2 }, ({ c }) => expression(draw, tensors, c, 4)),
          ),
          p.sum({ type: type(), axis: COLUMNS, cols: 2 }, { body: ({ k }) => expression(draw, tensors, k, 3) }),
          p.argmax({ axis: COLUMNS, rows: 2 }, ({ k }) =>
            clamp(expression(draw, tensors, k, 3), -(2 ** 31), 2 ** 31 - 1),
          ),
          p.argmax({ axis: COLUMNS }, ({ k }) => clamp(expression(draw, tensors, k, 2), -2, 1)),
        ];
        p.fold({ type: "i8" }, () => 1);
        const program = p.build();
        const request = program.requests.map(({ type: of }) => {
          const { length } = { length: COLUMNS * { i8: 1, i16: 2, i32: 4, i64: 8 }[of] };
          const isSmall = draw.choose(3) === 0;
          return Uint8Array.from({ length }, (_, i) => {
            if (!isSmall) return bytes.next().value ?? 0;
            return i % (length / COLUMNS) === 0 ? (bytes.next().value ?? 0) % 100 : 0;
          });
        });
        const job = {
          T: 2,
          request,
          claimed: [],
          want: folds.map(({ stage }) => ({ stage, fold: 0, steps: "all" as const })),
        };
        const engine = await openWasmWith(program, () => new Uint8Array(), {});
        for (const { class: kind } of engine.explain().slice(0, -1)) classes.set(kind, (classes.get(kind) ?? 0) + 1);
        const [actual, expected] = [engine.run(job), (await openReference(program, () => new Uint8Array())).run(job)];
        for (const [i, bytesOf] of expected.entries()) expect(actual[i], `fold ${i}`).toEqual(bytesOf);
      }),
      { numRuns: 120 },
    );
    // most of what was drawn must have been vector code for this to say anything
    expect(classes.get("vector") ?? 0).toBeGreaterThan(classes.get("generic") ?? 0);
  });

  it("finds the lowest index of the greatest element, also where all are the least of their type", async () => {
    const p = programBuilder({ maxT: 1 });
    const x = p.request({ type: "i32", rows: 4, cols: 21 });
    const top = p.argmax({ rows: 4, axis: 21 }, ({ r, k }) => x.at(r, k));
    p.fold({ type: "i8" }, () => 1);
    const engine = await openWasmWith(p.build(), () => new Uint8Array(), {});
    const least = Number(RANGE.i32.lo);
    const rows = [
      Array<number>(21).fill(least),
      Array.from({ length: 21 }, (_, k) => (k === 6 || k === 9 || k === 20 ? 5 : -k)),
      Array.from({ length: 21 }, (_, k) => k),
      Array.from({ length: 21 }, (_, k) => (k === 3 || k === 4 ? 2 ** 31 - 1 : 0)),
    ];
    const want = [{ stage: top.stage, fold: 0, steps: "all" as const }];
    const request = [new Uint8Array(Int32Array.from(rows.flat()).buffer)];
    const [indices = new Uint8Array()] = engine.run({ T: 1, request, claimed: [], want });
    expect([...new Int32Array(indices.buffer)]).toEqual([0, 6, 20, 3]);
  });
});
