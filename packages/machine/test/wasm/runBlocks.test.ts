import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { add, clamp, mul, programBuilder, shr, size, sub, udiv, type Value } from "../../src/index.ts";
import { openWasmWith } from "../../src/wasm/index.ts";

type Attention = {
  kvHeads: number;
  group: number;
  headSize: number;
  T: number;
  /** Magnitudes of queries, keys, weights and values. */
  limits: { q: number; k: number; p: number; v: number };
  valueType: "i8" | "i16";
  /** Which operand of a product stands first. */
  isSwapped: boolean;
  /** Steps of each move. */
  piece: number;
  seed: number;
};

/** Numbers of 16 bits, many of them at the ends. */
function elements(count: number, seed: number): Int16Array {
  let state = seed;
  return Int16Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    const kind = (state >>> 28) & 3;
    return kind === 0 ? -32_768 : kind === 1 ? 32_767 : state >>> 8;
  });
}

const bounded = (value: number, limit: number) => Math.max(-limit - 1, Math.min(limit, value));
const saturated = (value: bigint, bits: bigint) => {
  const half = 1n << (bits - 1n);
  return value >= half ? half - 1n : value < -half ? -half : value;
};
const rounded = (value: bigint, s: bigint) => (value + (1n << (s - 1n))) >> s;

/** Scores and weighted sums of values, raw and finished, by the engine and by plain loops. */
async function attention(of: Attention) {
  const { kvHeads, group, headSize, T, limits, valueType, isSwapped } = of;
  const heads = kvHeads * group;
  const [width, kvWidth] = [heads * headSize, kvHeads * headSize];
  const p = programBuilder({ maxT: 130 });
  const request = (cols: number) => p.request({ type: "i16", rows: 130, cols });
  const [queries, keys, weights, values] = [
    request(width),
    request(kvWidth),
    request(heads),
    request(kvWidth),
  ] as const;
  const within = (value: Value, limit: number) => clamp(value, -limit - 1, limit);
  const product = (a: Value, b: Value) => (isSwapped ? mul(b, a) : mul(a, b));
  const Q = p.fold({ type: "i16", rows: heads, cols: headSize }, ({ t, r, c }) =>
    within(queries.at(t, add(mul(r, headSize), c)), limits.q),
  );
  const K = p.fold({ type: "i16", rows: kvHeads, cols: headSize }, ({ t, r, c }) =>
    within(keys.at(t, add(mul(r, headSize), c)), limits.k),
  );
  const P = p.fold({ type: "i16", rows: heads, cols: size.history }, ({ t, r, c }) =>
    within(weights.at(sub(t, c), r), limits.p),
  );
  const v = p.fold({ type: valueType, cols: kvWidth, order: 1 }, ({ t, c }) => within(values.at(t, c), limits.v));
  const scores = (type: "i64" | "i16", finish?: bigint) =>
    p.sum(
      { type, rows: heads, cols: size.history, axis: headSize },
      {
        body: ({ t, r, c, k }) => product(Q.at(t, r, k), K.at(c, udiv(r, group), k)),
        ...(finish !== undefined && { finish: ({ acc }) => shr(acc, finish) }),
      },
    );
  const sums = (type: "i64" | "i8", finish?: bigint) =>
    p.sum(
      { type, cols: width, axis: size.history },
      {
        body: ({ t, c, k }) => {
          const head = udiv(c, headSize);
          const channel = add(mul(udiv(head, group), headSize), sub(c, mul(head, headSize)));
          return product(P.at(t, head, k), v.at(k, 0, channel));
        },
        ...(finish !== undefined && { finish: ({ acc }) => shr(acc, finish) }),
      },
    );
  const folds = [scores("i64"), scores("i16", 12n), sums("i64"), sums("i8", 20n)];
  p.fold({ type: "i8" }, () => 1);
  const engine = await openWasmWith(p.build(), () => new Uint8Array(), {});

  const given = [width, kvWidth, heads, kvWidth].map((cols, at) => elements(130 * cols, of.seed + at));
  const [q, key, weight, value] = given as [Int16Array, Int16Array, Int16Array, Int16Array];
  const bytes = given.map(({ buffer }) => new Uint8Array(buffer));
  const want = folds.map(({ stage }) => ({ stage, fold: 0, steps: "all" as const }));
  const whole = engine.run({ T, request: bytes, claimed: [], want });
  const session = engine.open({ request: bytes });
  const pieces: Uint8Array[][] = folds.map(() => []);
  while (session.steps < T) {
    const [results = []] = engine.advance([
      { session, steps: Math.min(of.piece, T - session.steps), claimed: [], want },
    ]);
    for (const [at, part] of results.entries()) pieces[at]?.push(part);
  }
  const kernels = folds.map(({ stage }) => engine.explain().find((each) => each.stage === stage)?.kernel);
  engine.close();

  const expected: bigint[][] = [[], [], [], []];
  for (let t = 0; t < T; t++) {
    for (let h = 0; h < heads; h++)
      for (let at = 0; at <= t; at++) {
        let sum = 0;
        for (let i = 0; i < headSize; i++) {
          const own = q[t * width + h * headSize + i] ?? 0;
          const other = key[at * kvWidth + Math.floor(h / group) * headSize + i] ?? 0;
          sum += bounded(own, limits.q) * bounded(other, limits.k);
        }
        expected[0]?.push(BigInt(sum));
        expected[1]?.push(saturated(rounded(BigInt(sum), 12n), 16n));
      }
    for (let c = 0; c < width; c++) {
      const head = Math.floor(c / headSize);
      const channel = Math.floor(head / group) * headSize + (c % headSize);
      let sum = 0;
      for (let at = 0; at <= t; at++) {
        const stored = bounded(value[at * kvWidth + channel] ?? 0, limits.v);
        sum += bounded(weight[(t - at) * heads + head] ?? 0, limits.p) * stored;
      }
      expected[2]?.push(BigInt(sum));
      expected[3]?.push(saturated(rounded(BigInt(sum), 20n), 8n));
    }
  }
  const numbers = (parts: Uint8Array[]) => {
    const [raw, z, o, y] = parts.map((part) => part.slice().buffer) as [
      ArrayBuffer,
      ArrayBuffer,
      ArrayBuffer,
      ArrayBuffer,
    ];
    return [
      [...new BigInt64Array(raw)],
      [...new Int16Array(z)].map(BigInt),
      [...new BigInt64Array(o)],
      [...new Int8Array(y)].map(BigInt),
    ];
  };
  return {
    kernels,
    expected,
    whole: numbers(whole),
    pieced: numbers(pieces.map((parts) => Uint8Array.from(Buffer.concat(parts)))),
  };
}

const LIMITS = [1, 127, 2_047, 16_256, 32_766, 32_767];
const attentions = fc
  .record({
    kvHeads: fc.integer({ min: 1, max: 3 }),
    group: fc.constantFrom(1, 2, 3, 4, 5, 6),
    headSize: fc.constantFrom(1, 4, 6, 8, 12, 20, 64, 100, 128, 136),
    T: fc.constantFrom(1, 3, 4, 5, 15, 16, 17, 64, 65, 130),
    limits: fc.record({
      q: fc.constantFrom(...LIMITS),
      k: fc.constantFrom(...LIMITS),
      p: fc.constantFrom(...LIMITS),
      v: fc.constantFrom(...LIMITS),
    }),
    valueType: fc.constantFrom("i8" as const, "i16" as const),
    isSwapped: fc.boolean(),
    piece: fc.constantFrom(1, 7, 64),
    seed: fc.integer(),
  })
  .map((drawn) => ({
    ...drawn,
    limits: { ...drawn.limits, v: drawn.valueType === "i8" ? Math.min(127, drawn.limits.v) : drawn.limits.v },
  }))
  .filter(({ kvHeads, group, headSize, T }) => kvHeads * group * headSize * T * T < 400_000);

describe("attention in blocks", () => {
  it("is exact for any heads, lengths and magnitudes, whole and in pieces", async () => {
    await fc.assert(
      fc.asyncProperty(attentions, async (of) => {
        const { expected, whole, pieced } = await attention(of);
        expect(whole).toEqual(expected);
        expect(pieced).toEqual(expected);
      }),
      { numRuns: 40 },
    );
  });

  it.each([
    { group: 3, headSize: 64, ofScores: 3, ofSums: 3 },
    { group: 4, headSize: 8, ofScores: 2, ofSums: 2 },
    { group: 6, headSize: 12, ofScores: 3, ofSums: 3 },
    // what neighbouring channels have in common are the weights
    { group: 1, headSize: 128, ofScores: 1, ofSums: 2 },
    { group: 5, headSize: 16, ofScores: 1, ofSums: 2 },
  ])("shares loads among lines of $group heads of $headSize", async ({ group, headSize, ofScores, ofSums }) => {
    const limits = { q: 32_767, k: 2_047, p: 16_256, v: 127 };
    const of = { kvHeads: 2, group, headSize, T: 9, limits, isSwapped: false, piece: 4, seed: 5 };
    const { kernels, expected, whole, pieced } = await attention({ ...of, valueType: "i8" });
    const lines = [ofScores, ofScores, ofSums, ofSums];
    expect(kernels).toEqual(lines.map((count) => `dot of runs, blocks of ${count} x 4`));
    expect(whole).toEqual(expected);
    expect(pieced).toEqual(expected);
  });
});
