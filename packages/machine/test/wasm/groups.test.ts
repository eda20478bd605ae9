import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  add,
  and,
  bitlen,
  clamp,
  dot,
  ELEMENT_TYPES,
  type Expr,
  eq,
  isqrt,
  lt,
  max,
  min,
  mul,
  mulshr,
  openReference,
  or,
  programBuilder,
  select,
  shl,
  shr,
  sub,
  type TensorHandle,
  udiv,
  type Value,
} from "../../src/index.ts";
import { openWasmWith } from "../../src/wasm/index.ts";

const COLUMNS = 19;
const LITERALS = [
  0,
  1,
  2,
  3,
  7,
  8,
  15,
  31,
  32,
  33,
  63,
  64,
  -1,
  -8,
  255,
  1000,
  32_767,
  2 ** 31 - 1,
  -(2 ** 31),
  2n ** 33n,
  -(2n ** 40n),
  2n ** 63n - 1n,
];

/** Choices that shape an expression, and literals in it: the same choices with other literals give a fold of the same group. */
type Draw = { choose: (count: number) => number; literal: () => Value };

function expression(draw: Draw, tensors: TensorHandle[], at: Expr, depth: number): Value {
  const next = () => expression(draw, tensors, at, depth - 1);
  const { literal } = draw;
  const tensor = () => tensors[draw.choose(tensors.length)] as TensorHandle;
  if (depth === 0)
    return [() => tensor().at(0, at), () => tensor().at(literal(), add(at, literal())), () => at][
      draw.choose(3)
    ]?.() as Value;
  return [
    () => add(next(), literal()),
    () => sub(literal(), next()),
    () => mul(next(), literal()),
    () => mul(next(), next()),
    () => mulshr(next(), literal(), literal()),
    () => shr(next(), literal()),
    () => shl(next(), literal()),
    () => and(next(), literal()),
    () => or(next(), literal()),
    () => min(next(), literal()),
    () => max(next(), literal()),
    () => clamp(next(), -32_768, literal()),
    () => select(lt(next(), literal()), next(), literal()),
    () => select(eq(and(at, literal()), literal()), next(), udiv(next(), literal())),
    () => udiv(max(next(), 0), literal()),
    () => isqrt(next()),
    () => bitlen(next()),
    () => tensor().at(0, and(next(), literal())),
  ][draw.choose(18)]?.() as Value;
}

describe("folds that differ by literals and operands only", () => {
  it("share code and compute what the reference does", () =>
    fc.assert(
      fc.asyncProperty(
        fc.infiniteStream(fc.nat(2 ** 30)),
        fc.uint8Array({ minLength: COLUMNS * 15, maxLength: COLUMNS * 15 }),
        async (numbers, bytes) => {
          const p = programBuilder({ maxT: 2 });
          const tensors = ELEMENT_TYPES.map((type) => p.request({ type, rows: 1, cols: COLUMNS }));
          const random = (count: number) => (numbers.next().value ?? 0) % count;
          const made: number[] = [];
          const folds = [0, 1, 2, 3].flatMap(() => {
            let at = 0;
            const choose = (count: number) => {
              if (at === made.length) made.push(random(2 ** 30));
              return (made[at++] as number) % count;
            };
            const draw = { choose, literal: () => LITERALS[random(LITERALS.length)] as Value };
            const type = ELEMENT_TYPES[choose(4)] ?? "i64";
            return [
              p.fold({ type, cols: COLUMNS, rows: 2 }, ({ c }) => expression(draw, tensors, c, 3)),
              p.sum(
                { type, axis: COLUMNS },
                { body: ({ k }) => expression(draw, tensors, k, 2), finish: ({ acc }) => shr(acc, draw.literal()) },
              ),
            ];
          });
          p.fold({ type: "i8" }, () => 1);
          const program = p.build();
          let offset = 0;
          const request = program.requests.map(({ type }) => {
            const length = COLUMNS * { i8: 1, i16: 2, i32: 4, i64: 8 }[type];
            offset += length;
            return bytes.slice(offset - length, offset);
          });
          const want = folds.map(({ stage }) => ({ stage, fold: 0, steps: "all" as const }));
          const engines = [openReference, openWasmWith].map((open) => open(program, () => new Uint8Array(), {}));
          const [expected, actual] = (await Promise.all(engines)).map((engine) =>
            engine.run({ T: 2, request, claimed: [], want }),
          );
          for (const i of want.keys()) expect(actual?.[i], `fold ${i}`).toEqual(expected?.[i]);
        },
      ),
      { numRuns: 120 },
    ));

  it("keep the multipliers and shifts of their own matrix products", async () => {
    const p = programBuilder({ maxT: 3 });
    const x = p.request({ type: "i16", rows: 1, cols: 24 });
    const weights = [0, 1, 2].map(() => p.constant({ type: "i8", rows: 10, cols: 24 }));
    const a = p.fold({ type: "i16", cols: 24 }, ({ t, c }) => clamp(add(x.at(0, c), t), -3000, 3000));
    const folds = weights.map((w, i) =>
      p.sum(
        { type: "i16", cols: 10, axis: 24 },
        { body: ({ t, c, k }) => dot(a.at(t, 0, k), w.at(c, k)), finish: ({ acc }) => shr(mul(acc, 5 + i), i * 3) },
      ),
    );
    p.fold({ type: "i8" }, () => 1);
    const program = p.build();
    const constants = weights.map((_, i) => Uint8Array.from({ length: 240 }, (_, at) => (at * 31 * (i + 1)) % 256));
    const request = [new Uint8Array(Int16Array.from({ length: 24 }, (_, c) => c * 700 - 8_000).buffer)];
    const want = folds.map(({ stage }) => ({ stage, fold: 0, steps: "all" as const }));
    const job = { T: 3, request, claimed: [], want };
    const source = (index: number) => constants[index] ?? new Uint8Array();
    const [expected, engine] = [
      (await openReference(program, source)).run(job),
      await openWasmWith(program, source, {}),
    ];
    expect(engine.run(job)).toEqual(expected);
  });
});
