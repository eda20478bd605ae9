import {
  add,
  clamp,
  dot,
  eq,
  type FoldHandle,
  isqrt,
  lt,
  max,
  mul,
  mulshr,
  type Program,
  programBuilder,
  select,
  shr,
  size,
  sub,
  udiv,
} from "../../src/index.ts";

export type TinyShape = {
  maxT: number;
  width: number;
  heads: number;
  group: number;
  headSize: number;
  vocabulary: number;
  layers: number;
};

/**
 * A decoder-only transformer with the parts that matter to an engine: matrix products, keys kept row by row, values kept
 * time innermost, scores and a weighted sum over the history, a norm, an argmax over a vocabulary, and a last stage that
 * compares claimed tokens with samples of the step before.
 */
export function tinyTransformer({ maxT, width, heads, group, headSize, vocabulary, layers }: TinyShape) {
  const p = programBuilder({ maxT });
  const prompt = p.request({ type: "i32", rows: 1, cols: maxT });
  const promptLength = p.request({ type: "i32", rows: 1, cols: 1 });
  const tokens = p.claimed({ type: "i32", rows: 1, cols: size.steps() });
  const embedding = p.constant({ type: "i8", rows: vocabulary, cols: width });
  const kvWidth = (heads / group) * headSize;
  const matrix = (rows: number, cols: number) => p.constant({ type: "i8", rows, cols });
  const linear = (
    x: FoldHandle,
    rows: number,
    out: { type: "i8" | "i16" | "i32"; order?: 0 | 1; range: number; bits: number },
  ) => {
    const weights = matrix(rows, size.n(x.cols));
    const scale = p.constant({ type: "i16", rows: 1, cols: rows });
    return p.sum(
      { type: out.type, cols: rows, axis: x.cols, order: out.order ?? 0 },
      {
        body: ({ t, c, k }) => dot(x.at(t, 0, k), weights.at(c, k)),
        finish: ({ c, acc }) => clamp(shr(mul(acc, scale.at(0, c)), out.bits), -out.range, out.range),
      },
    );
  };
  const norm = (x: FoldHandle) => {
    const inverse = p.sum(
      { type: "i64", axis: width },
      {
        body: ({ t, k }) => mul(x.at(t, 0, k), x.at(t, 0, k)),
        finish: ({ acc }) => udiv(2n ** 44n, max(1, isqrt(acc))),
      },
    );
    return p.fold({ type: "i16", cols: width }, ({ t, c }) =>
      clamp(mulshr(mul(x.at(t, 0, c), 20_000), inverse.at(t, 0, 0), 44), -32_639, 32_639),
    );
  };
  let x = p.fold({ type: "i32", cols: width }, ({ t, c }) => mul(embedding.at(tokens.at(0, t), c), 1000));
  for (let layer = 0; layer < layers; layer++) {
    const n = norm(x);
    const q = linear(n, heads * headSize, { type: "i16", range: 32_767, bits: 20 });
    const key = linear(n, kvWidth, { type: "i16", range: 2_047, bits: 22 });
    const v = linear(n, kvWidth, { type: "i8", order: 1, range: 127, bits: 26 });
    const byHead = (from: FoldHandle, rows: number) =>
      p.fold({ type: "i16", rows, cols: headSize }, ({ t, r, c }) => from.at(t, 0, add(mul(r, headSize), c)));
    const Q = byHead(q, heads);
    const K = byHead(key, heads / group);
    const z = p.sum(
      { type: "i32", rows: heads, cols: size.history, axis: headSize },
      {
        body: ({ t, r, c, k }) => dot(Q.at(t, r, k), K.at(c, udiv(r, group), k)),
        finish: ({ acc }) => shr(acc, 6),
      },
    );
    const top = p.argmax({ rows: heads, axis: size.history }, ({ t, r, k }) => z.at(t, r, k));
    const P = p.fold({ type: "i16", rows: heads, cols: size.history }, ({ t, r, c }) =>
      max(0, sub(16_256, shr(sub(z.at(t, r, top.at(t, r, 0)), z.at(t, r, c)), 7))),
    );
    const Z = p.sum(
      { type: "i32", rows: heads, axis: size.history },
      { body: ({ t, r, k }) => P.at(t, r, k), finish: ({ acc }) => udiv(2n ** 40n, max(acc, 16_256)) },
    );
    const o = p.sum(
      { type: "i16", cols: heads * headSize, axis: size.history },
      {
        body: ({ t, c, k }) => {
          const head = udiv(c, headSize);
          return dot(P.at(t, head, k), v.at(k, 0, add(mul(udiv(head, group), headSize), sub(c, mul(head, headSize)))));
        },
        finish: ({ t, c, acc }) => clamp(shr(mul(acc, Z.at(t, udiv(c, headSize), 0)), 32), -32_512, 32_512),
      },
    );
    const y = linear(o, width, { type: "i32", range: 2 ** 20, bits: 14 });
    const before = x;
    x = p.fold({ type: "i32", cols: width }, ({ t, c }) =>
      clamp(add(before.at(t, 0, c), y.at(t, 0, c)), -(2 ** 24), 2 ** 24),
    );
  }
  const final = norm(x);
  const logits = p.sum(
    { type: "i32", cols: vocabulary, axis: width },
    { body: ({ t, c, k }) => dot(final.at(t, 0, k), embedding.at(c, k)) },
  );
  const sample = p.argmax({ axis: vocabulary }, ({ t, k }) => logits.at(t, 0, k));
  p.fold({ type: "i8" }, ({ t }) =>
    eq(tokens.at(0, t), select(lt(t, promptLength.at(0, 0)), prompt.at(0, t), sample.at(sub(t, 1), 0, 0))),
  );
  const program: Program = p.build();
  return { program, logits, sample };
}

/** Constants that look like weights: both ends of i8 occur, multipliers are positive. */
export function tinyConstants({ constants }: Program, seed: number): Uint8Array[] {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return state >>> 8;
  };
  return constants.map(({ type, rows, cols }) => {
    const count = rows * cols;
    if (type === "i8") return Uint8Array.from({ length: count }, () => next() % 256);
    return new Uint8Array(Int16Array.from({ length: count }, () => 100 + (next() % 30_000)).buffer);
  });
}
