// One small program of each kind with a job whose statement is true, small enough to change every element of its trace.
import {
  add,
  and,
  clamp,
  type ElementAt,
  elementBytes,
  eq,
  type FoldHandle,
  floorShr,
  lt,
  max,
  mul,
  mulshr,
  or,
  type Program,
  type ProgramBuilder,
  philox,
  programBuilder,
  select,
  shr,
  size,
  sub,
  type TensorHandle,
  traceInMemory,
  udiv,
} from "@foldmark/machine";
import type { RandomJob } from "@foldmark/machine/testing";
import { valueAt } from "../../packages/machine/test/support/mutations.ts";
import { drawsFrom } from "./deep.ts";

type Read = (at: ElementAt) => bigint;
type Spec = {
  program: Program;
  T: number;
  request: Uint8Array[];
  /** What the job answers, read from its trace. */
  answer: (read: Read) => Uint8Array[];
};

/** A job whose claimed tensors are what its program computes: found by answering again until nothing changes. */
function truthful({ program, T, request, answer }: Spec): RandomJob {
  const draws = drawsFrom(7);
  const constants = program.constants.map(({ type, rows, cols }) =>
    elementBytes(
      type,
      Array.from({ length: size.n(rows) * size.n(cols) }, () => BigInt(draws.below(256) - 128)),
    ),
  );
  let claimed = program.claimed.map(() => new Uint8Array());
  const given = (i: number) => constants[i] ?? new Uint8Array();
  let next = answer(() => 0n);
  for (let round = 0; round <= T + 1; round++) {
    claimed = next.map((bytes) => Uint8Array.from(bytes));
    const trace = traceInMemory(program, given, { T, request, claimed });
    next = answer((at) => valueAt(program, trace, at));
    if (trace.firstFalse === undefined) return { program, constants, job: { T, request, claimed } };
  }
  throw new Error("The statement of a tiny program does not become true.");
}

const at = (fold: FoldHandle, t: number, r = 0, c = 0): ElementAt => ({ stage: fold.stage, fold: fold.fold, t, r, c });
const i32 = (values: readonly (number | bigint)[]) => elementBytes("i32", values.map(BigInt));

const VOCABULARY = 5;
const WIDTH = 4;

type Text = { prompt: TensorHandle; limits: TensorHandle; tokens: TensorHandle };

/** Every position holds what was asked for, then what was chosen at the one before; no more than was ordered. */
function okOfText(p: ProgramBuilder, { prompt, limits, tokens }: Text, next: FoldHandle): void {
  p.fold({ type: "i8" }, ({ t, T }) => {
    const token = tokens.at(0, t);
    const length = limits.at(0, 0);
    const isRight = select(lt(t, length), eq(token, prompt.at(0, t)), eq(token, next.at(sub(t, 1), 0, 0)));
    const isToken = and(lt(-1, token), lt(token, VOCABULARY));
    const isLength = and(lt(length, T), eq(sub(T, length), limits.at(0, 1)));
    return and(isRight, and(isToken, isLength));
  });
}

function textOf(p: ProgramBuilder): Text & { logits: FoldHandle } {
  const prompt = p.request({ type: "i32", rows: 1, cols: 4 });
  const limits = p.request({ type: "i32", rows: 1, cols: 2 });
  const tokens = p.claimed({ type: "i32", rows: 1, cols: size.steps() });
  const embedding = p.constant({ type: "i8", rows: VOCABULARY, cols: WIDTH });
  const weights = p.constant({ type: "i8", rows: WIDTH, cols: WIDTH });
  const x = p.fold({ type: "i8", cols: WIDTH }, ({ t, c }) => embedding.at(tokens.at(0, t), c));
  const hidden = p.sum(
    { type: "i8", cols: WIDTH, axis: WIDTH },
    {
      body: ({ t, c, k }) => mul(x.at(t, 0, k), weights.at(c, k)),
      finish: ({ acc }) => max(mulshr(acc, 77, 13), 0),
    },
  );
  const logits = p.sum(
    { type: "i32", cols: VOCABULARY, axis: WIDTH },
    { body: ({ t, c, k }) => mul(hidden.at(t, 0, k), embedding.at(c, k)) },
  );
  return { prompt, limits, tokens, logits };
}

const textRequest = [i32([3, 1, 0, 0]), i32([2, 3])];
const tokensOf = (next: FoldHandle, T: number) => (read: Read) => [
  i32(Array.from({ length: T }, (_, t) => (t < 2 ? ([3, 1][t] ?? 0) : read(at(next, t - 1))))),
];

/** A dense model with greedy choice. */
function denseModel(): RandomJob {
  const p = programBuilder({ maxT: 8 });
  const text = textOf(p);
  const next = p.argmax({ axis: VOCABULARY }, ({ t, k }) => text.logits.at(t, 0, k));
  okOfText(p, text, next);
  return truthful({ program: p.build(), T: 5, request: textRequest, answer: tokensOf(next, 5) });
}

/** The same with noise from a seed: a sampled choice. */
function sampledModel(): RandomJob {
  const p = programBuilder({ maxT: 8 });
  const text = textOf(p);
  const seed = p.request({ type: "i64", rows: 1, cols: 1 });
  const noise = p.fold({ type: "i32", cols: VOCABULARY, order: 1 }, ({ t, c }) =>
    floorShr(philox(t, c, seed.at(0, 0)), 44),
  );
  const next = p.argmax({ axis: VOCABULARY }, ({ t, k }) => add(mul(text.logits.at(t, 0, k), 40), noise.at(t, 0, k)));
  okOfText(p, text, next);
  const request = [...textRequest, elementBytes("i64", [-987_654_321_987n])];
  return truthful({ program: p.build(), T: 5, request, answer: tokensOf(next, 5) });
}

/** A walk of two particles that feeds back, and what it comes to. */
function loopSimulation(): RandomJob {
  const p = programBuilder({ maxT: 16 });
  const start = p.request({ type: "i32", rows: 1, cols: 3 });
  const result = p.claimed({ type: "i64", rows: 1, cols: 2 });
  const drift = p.constant({ type: "i16", rows: 2, cols: 2 });
  const place = p.loop({}, (loop) => {
    const push = loop.fold({ type: "i32", cols: 2 }, ({ t, c }) =>
      add(shr(philox(t, c, start.at(0, 2)), 56), drift.at(c, loop.prev(sign, 0, c))),
    );
    const moved = loop.fold({ type: "i64", cols: 2 }, ({ t, c }) =>
      add(select(eq(t, 0), start.at(0, c), loop.prev(moved, 0, c)), loop.now(push, 0, c)),
    );
    const sign = loop.sum(
      { type: "i8", cols: 2, axis: 2 },
      { body: ({ c, k }) => mul(loop.now(moved, 0, k), sub(c, k)), finish: ({ acc }) => lt(acc, 0) },
    );
    return moved;
  });
  const total = p.sum(
    { type: "i64", cols: 2, steps: 1, axis: size.steps() },
    { body: ({ c, k }) => place.at(k, 0, c), finish: ({ acc, T }) => udiv(max(acc, 0), T) },
  );
  p.fold({ type: "i8", cols: 2 }, ({ c, T }) => and(eq(result.at(0, c), total.at(0, 0, c)), eq(T, 6)));
  return truthful({
    program: p.build(),
    T: 6,
    request: [i32([900, 700, 5])],
    answer: (read) => [elementBytes("i64", [read(at(total, 0)), read(at(total, 0, 0, 1))])],
  });
}

/** Greatest and least of values with many ties, over a constant axis, a history and all steps. */
function manyMaxima(): RandomJob {
  const p = programBuilder({ maxT: 9 });
  const given = p.request({ type: "i16", rows: 2, cols: 6 });
  const result = p.claimed({ type: "i64", rows: 1, cols: size.steps() });
  const value = p.fold({ type: "i64", rows: 2 }, ({ t, r }) => and(given.at(r, t), 3));
  const greatest = p.argmax({ rows: 2, axis: size.history }, ({ r, k }) => value.at(k, r, 0));
  const least = p.argmax({ rows: 2, axis: size.steps() }, ({ r, k }) => sub(0, value.at(k, r, 0)));
  const nearest = p.argmax({ axis: 4, order: 1, cols: 2 }, ({ t, c, k }) =>
    sub(0, mul(sub(value.at(t, c, 0), k), sub(value.at(t, c, 0), k))),
  );
  const rising = p.argmax({ axis: 4 }, ({ t, k }) => mul(k, add(t, 1)));
  const found = p.fold({ type: "i64" }, ({ t }) =>
    add(
      mul(rising.at(t, 0, 0), 10_000),
      mul(value.at(greatest.at(t, 0, 0), 0, 0), 1_000),
      add(mul(value.at(least.at(t, 1, 0), 1, 0), 100), nearest.at(t, 0, 1)),
    ),
  );
  p.fold({ type: "i8" }, ({ t }) => eq(result.at(0, t), found.at(t, 0, 0)));
  return truthful({
    program: p.build(),
    T: 6,
    request: [elementBytes("i16", [1n, 3n, 2n, 3n, 0n, 7n, 2n, 2n, 1n, 1n, 6n, 1n])],
    answer: (read) => [
      elementBytes(
        "i64",
        Array.from({ length: 6 }, (_, t) => read(at(found, t))),
      ),
    ],
  });
}

/** Attention: scores against a history, weights, a weighted sum over values with time innermost. */
function attention(): RandomJob {
  const p = programBuilder({ maxT: 12 });
  const inputs = p.request({ type: "i8", rows: 5, cols: 3 });
  const result = p.claimed({ type: "i32", rows: 2, cols: size.steps() });
  const mixing = p.constant({ type: "i8", rows: 3, cols: 3 });
  const project = (order: 0 | 1, shift: number) =>
    p.sum(
      { type: "i8", cols: 3, axis: 3, order },
      {
        body: ({ t, c, k }) => mul(inputs.at(t, k), mixing.at(add(c, shift), k)),
        finish: ({ acc }) => clamp(shr(acc, 5), -127, 127),
      },
    );
  const [query, key, values] = [project(0, 0), project(0, 1), project(1, 2)];
  const scores = p.sum(
    { type: "i32", rows: 2, cols: size.history, axis: 3 },
    { body: ({ t, c, k }) => mul(query.at(t, 0, k), key.at(c, 0, k)), finish: ({ acc, r }) => shr(acc, add(r, 3)) },
  );
  const top = p.argmax({ rows: 2, axis: size.history }, ({ t, r, k }) => scores.at(t, r, k));
  const weights = p.fold({ type: "i16", rows: 2, cols: size.history }, ({ t, r, c }) =>
    max(sub(1_000, sub(scores.at(t, r, top.at(t, r, 0)), scores.at(t, r, c))), 1),
  );
  const mixed = p.sum(
    { type: "i32", rows: 2, axis: size.history },
    {
      body: ({ t, r, k }) => mul(weights.at(t, r, k), values.at(k, 0, r)),
      finish: ({ acc, t }) => shr(acc, or(t, 1)),
    },
  );
  p.fold({ type: "i8", rows: 2 }, ({ t, r }) => eq(result.at(r, t), mixed.at(t, r, 0)));
  return truthful({
    program: p.build(),
    T: 5,
    request: [
      elementBytes(
        "i8",
        Array.from({ length: 15 }, (_, i) => BigInt(((i * 37) % 91) - 45)),
      ),
    ],
    answer: (read) => [i32([0, 1].flatMap((r) => Array.from({ length: 5 }, (_, t) => read(at(mixed, t, r)))))],
  });
}

/** The kinds, each made once. */
export const tinyPrograms: readonly { kind: string; job: RandomJob }[] = [
  { kind: "a dense model", job: denseModel() },
  { kind: "a sampled model", job: sampledModel() },
  { kind: "a loop simulation", job: loopSimulation() },
  { kind: "maxima of every kind", job: manyMaxima() },
  { kind: "attention over histories", job: attention() },
];
