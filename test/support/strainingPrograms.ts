// Programs that are accepted and cost as much to refute as one can make them: trees as deep, records as long, bodies as
// heavy as the limits let them be. The fold that is meant is the first of the last stage but one.
import {
  type Arithmetic,
  add,
  dot,
  type ElementType,
  type FoldHandle,
  mul,
  OPS,
  type Program,
  type ProgramBuilder,
  programBuilder,
  size,
} from "@foldmark/machine";
import { type Expr, operation, type Value } from "../../packages/machine/src/builder/expr.ts";

export type Straining = { what: string; program: Program; T: number };

const program = (what: string, maxT: number, write: (p: ProgramBuilder) => void): Straining => {
  const p = programBuilder({ maxT });
  write(p);
  p.fold({ type: "i8", steps: 1 }, () => 1);
  return { what, program: p.build(), T: maxT };
};
const sumOf = (values: readonly Expr[]): Expr => values.reduce((sum, value) => add(sum, value));
const many = <T>(n: number, make: (i: number) => T): T[] => Array.from({ length: n }, (_, i) => make(i));

/** As many operations one after the other as fit, each on what came before. */
const chain = (op: Arithmetic, first: Value, n: number): Expr =>
  many(n, (i) => i).reduce<Expr>(
    (value, i) => operation(op, ...many(OPS[op].operands, (j) => (j === 0 ? value : ((i + j) % 60) + 2))),
    operation("add", first, 1),
  );

const [LIT, T_, K_, ADD, MUL, BITLEN] = [0x01, 0x04, 0x07, 0x10, 0x12, 0x20];
const PICK_TOP = [0x0a, 0];
const TENSOR_0 = [0x0b, 0, 0];

/** The body of the fold that is meant as bytes, which no builder would write so. */
function withBody(straining: Straining, body: readonly number[]): Straining {
  const { stages } = straining.program;
  const meant = stages.at(-2)?.folds[0];
  if (meant) meant.body = Uint8Array.from(body);
  return straining;
}

const deepLoop = (p: ProgramBuilder, folds: number, type: ElementType = "i8"): FoldHandle =>
  p.loop({}, (loop) =>
    many(folds, () => loop.fold({ type, rows: 2 ** 10, cols: 2 ** 8 }, () => 1)).at(-1),
  ) as FoldHandle;

export const strainingPrograms: readonly Straining[] = [
  program("loads from 16 loops of 16 folds, with 2^24 steps of 256 leaves each", 2 ** 24, (p) => {
    const loops = many(16, () => deepLoop(p, 16));
    p.fold({ type: "i64" }, ({ t }) => sumOf(loops.map((loop, i) => loop.at(add(mul(t, 5), i), i * 31, 255 - i))));
  }),
  program("27 loads from histories of 2^29 leaves", 2 ** 20, (p) => {
    const histories = many(27, () => p.fold({ type: "i8", cols: size.history }, () => 1));
    p.fold({ type: "i64" }, ({ t }) => sumOf(histories.map((each, i) => each.at(add(t, -i), 0, mul(i, 9_999)))));
  }),
  program("32 loads from one large constant", 4, (p) => {
    const constant = p.constant({ type: "i64", rows: 1_024, cols: 1_024 });
    p.fold({ type: "i64" }, ({ t }) => sumOf(many(32, (i) => constant.at(add(t, i * 31), i * 30))));
  }),
  program("32 loads of one element", 4, (p) => {
    const constant = p.constant({ type: "i64", rows: 1, cols: 1 });
    p.fold({ type: "i64" }, () => sumOf(many(32, () => constant.at(0, 0))));
  }),
  program("a gather of 40 leaves through a table", 4, (p) => {
    const table = p.constant({ type: "i32", rows: 1, cols: 64 });
    const constant = p.constant({ type: "i64", rows: 256, cols: 128 });
    p.sum({ type: "i64", axis: 40 }, { body: ({ k }) => constant.at(operation("and", table.at(0, k), 255), 0) });
  }),
  program("a gather of 60 elements of one leaf, twice", 4, (p) => {
    const table = p.constant({ type: "i64", rows: 16, cols: 8 });
    p.sum({ type: "i64", axis: 30 }, { body: ({ k }) => mul(table.at(mul(k, 3), k), table.at(k, mul(k, 5))) });
  }),
  ...(
    ["mulshr", "shr", "select", "udiv", "isqrt", "bitlen", "philox", "xor", "lt", "mul", "min", "shl"] as const
  ).flatMap((op) => [
    program(`a body of ${op} over and over`, 4, (p) => {
      const given = p.constant({ type: "i64", rows: 1, cols: 8 });
      p.fold({ type: "i64" }, ({ t }) => chain(op, given.at(0, t), Math.floor(960 / (1 + 2 * OPS[op].operands))));
    }),
    program(`a sum of 512 terms of ${op}`, 4, (p) => {
      const given = p.constant({ type: "i64", rows: 1, cols: 512 });
      p.sum({ type: "i64", axis: 512 }, { body: ({ k }) => chain(op, given.at(0, k), op === "philox" ? 3 : 10) });
    }),
  ]),
  withBody(
    program("a long body of picks", 4, (p) => {
      p.constant({ type: "i8", rows: 1, cols: 8 });
      p.fold({ type: "i64" }, () => 1);
    }),
    [T_, T_, ...TENSOR_0, ...many(330, () => [...PICK_TOP, ADD]).flat()],
  ),
  withBody(
    program("a long body of literals that are dropped", 4, (p) => {
      p.fold({ type: "i64" }, () => 1);
    }),
    [T_, ...many(500, () => [T_, ADD]).flat()],
  ),
  ...[1, 4].map((n) =>
    withBody(
      program(`vectors that are picked ${n} times`, 4, (p) => {
        p.constant({ type: "i8", rows: 1, cols: 4_000 });
        p.sum({ type: "i64", axis: 4_000 }, { body: ({ k }) => k });
      }),
      [T_, K_, ...TENSOR_0, LIT, 3, MUL, ...many(n, () => [...PICK_TOP, ADD]).flat()],
    ),
  ),
  withBody(
    program("a run that is picked and dropped", 4, (p) => {
      p.constant({ type: "i8", rows: 1, cols: 16_384 });
      p.sum({ type: "i64", axis: 16_384 }, { body: ({ k }) => k });
    }),
    [T_, K_, ...TENSOR_0, ...many(20, () => PICK_TOP).flat()],
  ),
  ...[512, 4_096, 11_000].map((terms) =>
    withBody(
      program(`a vector of ${terms} that is picked and dropped`, 4, (p) => {
        p.constant({ type: "i8", rows: 1, cols: terms });
        p.sum({ type: "i64", axis: terms }, { body: ({ k }) => k });
      }),
      [T_, K_, ...TENSOR_0, LIT, 3, MUL, ...many(28, () => PICK_TOP).flat()],
    ),
  ),
  ...[1, 2, 3, 5, 8].flatMap((terms) =>
    [...many(2, (i) => ({ op: i === 0 ? BITLEN : ADD, times: i === 0 ? 600 : 300 }))].map(({ op, times }) =>
      withBody(
        program(`${times} operations ${op} on a vector of ${terms}`, 4, (p) => {
          p.constant({ type: "i8", rows: 1, cols: terms });
          p.sum({ type: "i64", axis: terms }, { body: ({ k }) => k });
        }),
        [T_, K_, ...TENSOR_0, ...many(times, () => (op === ADD ? [...PICK_TOP, ADD] : [op])).flat()],
      ),
    ),
  ),
  program("short sums with bodies of 250 operations", 4, (p) => {
    const given = p.constant({ type: "i64", rows: 1, cols: 24 });
    p.sum({ type: "i64", axis: 24 }, { body: ({ k }) => chain("shr", given.at(0, k), 250) });
  }),
  ...[
    { first: "i8", second: "i8", terms: 30_000 },
    { first: "i8", second: "i8", terms: 4_095 },
    { first: "i8", second: "i8", terms: 1 },
    { first: "i16", second: "i8", terms: 20_001 },
    { first: "i16", second: "i8", terms: 17 },
    { first: "i16", second: "i16", terms: 7_111 },
    { first: "i32", second: "i8", terms: 7_001 },
    { first: "i64", second: "i64", terms: 4_801 },
  ].map(({ first, second, terms }) =>
    program(`a product of ${terms} ${first} and ${second}`, 4, (p) => {
      const a = p.constant({ type: first as ElementType, rows: 3, cols: terms + 500 });
      const b = p.constant({ type: second as ElementType, rows: 3, cols: terms + 300 });
      p.sum({ type: "i64", axis: terms }, { body: ({ k }) => dot(a.at(1, k), b.at(2, k)) });
    }),
  ),
  program("a product of runs that are clamped at both ends", 4, (p) => {
    const a = p.constant({ type: "i8", rows: 1, cols: 3_000 });
    p.sum({ type: "i64", axis: 6_000 }, { body: ({ k }) => mul(a.at(0, add(k, -1_500)), a.at(0, add(k, -1_000))) });
  }),
  program("a product of 300,000 terms of runs of one leaf", 4, (p) => {
    const a = p.constant({ type: "i8", rows: 1, cols: 1_000 });
    const b = p.constant({ type: "i8", rows: 1, cols: 1_020 });
    p.sum({ type: "i64", axis: 300_000 }, { body: ({ k }) => mul(a.at(0, k), b.at(0, k)) });
  }),
  program("a product of 70,000 terms of a long run and one leaf", 4, (p) => {
    const a = p.constant({ type: "i8", rows: 1, cols: 70_000 });
    const b = p.constant({ type: "i8", rows: 1, cols: 20 });
    p.sum({ type: "i64", axis: 70_000 }, { body: ({ k }) => mul(a.at(0, k), b.at(0, k)) });
  }),
  program("a sum along steps that lie side by side", 4_000, (p) => {
    const transposed = p.fold({ type: "i16", cols: 3, order: 1 }, () => 1);
    const scalars = p.fold({ type: "i32" }, () => 1);
    p.sum(
      { type: "i64", steps: 1, axis: size.steps() },
      { body: ({ k }) => mul(transposed.at(k, 0, 1), scalars.at(k, 0, 0)) },
    );
  }),
  program("an argmax over a million with a heavy body", 4, (p) => {
    const a = p.constant({ type: "i32", rows: 1_024, cols: 1_024 });
    p.argmax({ axis: 1_000_000 }, ({ k }) =>
      chain("philox", sumOf(many(12, (i) => a.at(mul(k, i), add(k, i * 50)))), 60),
    );
  }),
  program("a loop of 16 folds that read one another", 2 ** 24, (p) => {
    p.loop({}, (loop) => {
      const folds: FoldHandle[] = [];
      const last = loop.fold({ type: "i64", cols: 200 }, ({ c }) =>
        sumOf(folds.map((fold, i) => add(loop.prev(fold, 0, add(c, i * 9)), loop.prev(last, 0, mul(c, i))))),
      );
      for (let i = 0; i < 15; i++) folds.push(loop.fold({ type: "i64", cols: 200 }, () => 1));
      return last;
    });
  }),
];
