import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  add,
  and,
  bitlen,
  clamp,
  ELEMENT_TYPES,
  type Expr,
  eq,
  floorShr,
  isqrt,
  lt,
  max,
  min,
  mul,
  mulshr,
  openReference,
  or,
  philox,
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
/** So many loads of an expression: a fold has 32 at most, and two expressions. */
const LOADS = 12;
type Draw = { choose: (count: number) => number; loads: number };

/** An elementwise expression over `at` with a vector form: ranges are kept small often, so that both lane widths occur. */
function expression(draw: Draw, tensors: TensorHandle[], at: Expr, depth: number): Value {
  draw.loads = LOADS;
  return part(draw, tensors, at, depth);
}

function part(draw: Draw, tensors: TensorHandle[], at: Expr, depth: number): Value {
  const next = () => part(draw, tensors, at, depth - 1);
  const load = (column: Value): Expr =>
    draw.loads-- > 0 ? (tensors[draw.choose(tensors.length)] as TensorHandle).at(0, column) : at;
  const small = () => {
    const limit = 2 ** ([7, 15, 26][draw.choose(3)] ?? 0);
    return clamp(load(at), -limit, limit - draw.choose(2));
  };
  const outer = () => {
    const value = load(draw.choose(3));
    return draw.choose(3) === 0 ? value : and(value, [255, 2 ** 20 - 1, 2n ** 38n - 1n][draw.choose(3)] as Value);
  };
  if (depth === 0 || draw.choose(8) === 0)
    return [
      () => load(at),
      () => load(at),
      () => load(add(at, draw.choose(4))),
      () => load(xor(at, 1)),
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
    () => shr(mul(load(at), load(at)), bits),
    () => shr(next(), and(load(0), 31)),
    () => shl(next(), bits),
    () => and(next(), [255, -65_536, 2 ** 32 - 1, next()][draw.choose(4)] as Value),
    () => or(next(), next()),
    () => xor(next(), next()),
    () => min(next(), next()),
    () => max(next(), next()),
    () => select([lt(next(), next()), eq(next(), next()), next()][draw.choose(3)] as Value, next(), next()),
    () => udiv(max(next(), 0), 2 ** draw.choose(20)),
    () => udiv(next(), next()),
    () => mulshr(next(), next(), bits),
    () => mulshr(mul(small(), small()), outer(), bits),
    () => mulshr(small(), outer(), and(outer(), 63)),
    () => shr(next(), next()),
    () => shl(next(), and(next(), 63)),
    () => isqrt(next()),
    () => bitlen(next()),
    () => {
      const value = add(and(next(), [255, 2 ** 32 - 1, 2n ** 40n - 1n][draw.choose(3)] as Value), 1);
      return [bitlen(value), shl(value, sub([8, 33, 41, 53, 60][draw.choose(5)] ?? 0, bitlen(value)))][
        draw.choose(2)
      ] as Expr;
    },
    () => {
      const entry = and(next(), 15);
      const [here, after] = [load(entry), load(add(entry, 1))];
      return add(here, shr(mul(sub(after, here), and(next(), 255)), 8));
    },
    () => {
      const [index, column] = [draw.choose(tensors.length), and(next(), 15)];
      const [here, after] = [column, add(column, 1)].map((c) => (tensors[index] as TensorHandle).at(0, c));
      draw.loads -= 2;
      return sub(here as Expr, shr(mul(sub(here as Expr, after as Expr), and(next(), 255)), 8));
    },
    () => philox(next(), floorShr(at, draw.choose(2)), next()),
    () => select(lt(outer(), next()), philox(next(), at, outer()), next()),
    () => select(eq(and(outer(), 1), 0), add(next(), next()), mul(next(), next())),
    () => load(and(next(), 31)),
    () => clamp(next(), -32_768, 32_767),
    () => clamp(next(), -(2 ** 31), 2 ** 31 - 1),
  ][draw.choose(31)]?.() as Value;
}

const short = (draw: Draw) => (draw.choose(2) === 0 ? { cols: COLUMNS } : { rows: 4 + draw.choose(9), cols: 2 });

describe("vector code", () => {
  it("computes elements, sums and argmaxes like the reference", async () => {
    const classes = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(fc.nat(2 ** 30)), fc.infiniteStream(fc.nat(255)), async (numbers, bytes) => {
        const draw = { choose: (count: number) => (numbers.next().value ?? 0) % count, loads: 0 };
        const p = programBuilder({ maxT: 2 });
        const tensors = ELEMENT_TYPES.map((type) => p.request({ type, rows: 1, cols: COLUMNS }));
        const type = () => ELEMENT_TYPES[draw.choose(4)] ?? "i64";
        const folds = [
          ...[0, 1, 2].map(() =>
            p.fold({ type: type(), cols: COLUMNS, rows: 2 }, ({ c }) => expression(draw, tensors, c, 4)),
          ),
          p.fold({ type: type(), cols: COLUMNS, order: 1 }, ({ c }) => expression(draw, tensors, c, 2)),
          p.fold({ type: type(), cols: 1 + draw.choose(3), rows: 4 + draw.choose(9) }, ({ r, c }) =>
            add(expression(draw, tensors, r, 2), mul(c, 3)),
          ),
          p.sum(
            { type: type(), axis: 1 + draw.choose(3), ...short(draw) },
            {
              body: ({ r, c, k }) => expression(draw, tensors, add(r, mul(c, 2), k), 2),
              finish: ({ c, acc }) => add(acc, expression(draw, tensors, c, 1)),
            },
          ),
          p.argmax({ axis: 1 + draw.choose(3), rows: 4 + draw.choose(9) }, ({ r, k }) =>
            expression(draw, tensors, add(r, k), 2),
          ),
          p.argmax({ axis: COLUMNS }, ({ k }) => expression(draw, tensors, k, 3)),
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
      { numRuns: 100 },
    );
    expect(classes.get("vector")).toBeGreaterThan(120);
    expect(classes.get("generic")).toBeUndefined();
  });

  it("skips no candidate that wins", async () => {
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(fc.nat(2 ** 30)), async (numbers) => {
        const draw = { choose: (count: number) => (numbers.next().value ?? 0) % count };
        const axis = 1 + draw.choose(70);
        const p = programBuilder({ maxT: 1 });
        const x = p.request({ type: "i32", rows: 3, cols: axis });
        const scalars = p.request({ type: "i64", rows: 1, cols: 4 });
        const table = p.constant({ type: "i32", rows: 2, cols: 9 });
        const scalar = (at: number, lo: Value, hi: Value) => clamp(scalars.at(0, at), lo, hi);
        const scale = () => scalar(0, 0, 2 ** 24);
        const top = draw.choose(3) === 0 ? 2n ** 62n : 2n ** 40n;
        const noise = (k: Expr) => {
          const words = philox(7, floorShr(k, draw.choose(2)), scalars.at(0, 1));
          const place = and(words, 2 ** 20 - 1);
          const here = table.at(and(k, 1), floorShr(place, 17));
          const next = table.at(and(k, 1), add(floorShr(place, 17), 1));
          return add(here, shr(mul(sub(next, here), and(place, 2 ** 17 - 1)), 17));
        };
        const noisy = (value: Expr, k: Expr) =>
          [
            () => add(shr(mul(value, scale()), 16), noise(k)),
            () => sub(shr(mul(value, scale()), 16), noise(k)),
            () => max(value, noise(k)),
            () => select(lt(noise(k), 1_000), value, min(noise(k), value)),
            () => mul(noise(k), scale()),
            () => add(value, udiv(value, scalars.at(0, 1))),
          ][draw.choose(6)]?.() as Expr;
        const folds = [0, 1, 2].map(() =>
          p.argmax({ rows: 3, axis }, ({ r, k }) => {
            const value = x.at(r, k);
            const candidate = select(eq(scale(), 0), value, noisy(value, k));
            const excluded = draw.choose(2) === 0 ? -(2n ** 62n) : -(2n ** 63n);
            return [
              () => select(lt(value, sub(x.at(r, 0), scalar(2, 0, top))), excluded, candidate),
              () => select(lt(scalar(2, -top, top), value), candidate, excluded),
              () => candidate,
              () => select(and(value, 1), 5, candidate),
            ][draw.choose(4)]?.() as Value;
          }),
        );
        p.fold({ type: "i8" }, () => 1);
        const program = p.build();
        const spread = [1, 4, 2 ** 20, 2 ** 32][draw.choose(4)] ?? 1;
        const elements = Int32Array.from({ length: 3 * axis }, (_, i) => {
          const isExtreme = draw.choose(9) === 0;
          if (isExtreme) return draw.choose(2) === 0 ? 2 ** 31 - 1 : -(2 ** 31);
          return draw.choose(spread) - spread / 2 + (draw.choose(4) === 0 ? i : 0);
        });
        const given = [[0, 1, 65_536, 2 ** 24][draw.choose(4)] ?? 0, draw.choose(1000), draw.choose(1e6), 0];
        const request = [elements, BigInt64Array.from(given.map(BigInt))].map((array) => new Uint8Array(array.buffer));
        const entries = Int32Array.from({ length: 18 }, () => draw.choose(2 ** 21) - 2 ** 20);
        const job = {
          T: 1,
          request,
          claimed: [],
          want: folds.map(({ stage }) => ({ stage, fold: 0, steps: "all" as const })),
        };
        const constants = () => new Uint8Array(entries.buffer);
        const engine = await openWasmWith(program, constants, {});
        expect(engine.run(job)).toEqual((await openReference(program, constants)).run(job));
        engine.close();
      }),
      { numRuns: 60 },
    );
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
