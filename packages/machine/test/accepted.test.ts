import { describe, expect, it } from "vitest";
import {
  add,
  and,
  assertAccepted,
  clamp,
  dot,
  examineProgram,
  type FoldHandle,
  isqrt,
  max,
  mul,
  mulshr,
  type ProgramBuilder,
  programBuilder,
  shr,
  size,
  stepwiseReasons,
  sub,
  udiv,
} from "../src/index.ts";
import { firstProgram, secondProgram } from "./support/knownPrograms.ts";

/** A program of 577 stages and 1,070 records at maxT 2,048, as the default Llama model has; `write` writes one fold among them. */
function amongLlama(write: (p: ProgramBuilder, at: ReturnType<typeof operands>) => FoldHandle) {
  const p = programBuilder({ maxT: 2_048 });
  const at = operands(p);
  const written = write(p, at);
  while (at.constants.length < 490) at.constants.push(p.constant({ type: "i8", rows: 1, cols: 1 }));
  for (let stage = written.stage + 1; stage < 577; stage++) p.fold({ type: "i8" }, () => 1);
  return examineProgram(p.build()).costs[written.stage];
}

/** What the folds of a layer load: residual x, norm n, q, k, scores, p, v, Z, with the shapes of 135M parameters. */
function operands(p: ProgramBuilder) {
  p.request({ type: "i32", rows: 1, cols: 2_048 });
  p.request({ type: "i64", rows: 1, cols: 8 });
  p.claimed({ type: "i32", rows: 1, cols: size.steps() });
  const fold = (type: "i8" | "i16" | "i32" | "i64", rows: number, cols: number, order: 0 | 1 = 0) =>
    p.fold({ type, rows, cols, order }, () => 1);
  const w = p.constant({ type: "i8", rows: 576, cols: 576 });
  const wDown = p.constant({ type: "i8", rows: 576, cols: 1_536 });
  const ws = p.constant({ type: "i16", rows: 1, cols: 576 });
  const rope = p.constant({ type: "i16", rows: 2_048, cols: 64 });
  const rope2 = p.constant({ type: "i16", rows: 2_048, cols: 64 });
  return {
    x: fold("i32", 1, 576),
    n: fold("i16", 1, 576),
    R: fold("i64", 1, 1),
    k: fold("i16", 1, 192),
    v: fold("i8", 1, 192, 1),
    scores: fold("i32", 9, size.history),
    p: fold("i16", 9, size.history),
    Z: fold("i32", 9, 1),
    h: fold("i16", 1, 1_536),
    w,
    wDown,
    ws,
    rope,
    rope2,
    constants: [w, wDown, ws, rope, rope2],
  };
}

describe("costOfFold", () => {
  // figures computed for the default model by another program: loads, code bytes, evidence bytes, gas in thousands
  it.each<{ name: string; write: Parameters<typeof amongLlama>[0]; figures: [number, number, number, number] }>([
    {
      name: "a projection to queries",
      write: (p, { n, w, ws }) =>
        p.sum(
          { type: "i16", cols: 576, axis: 576 },
          {
            body: ({ t, c, k }) => dot(n.at(t, 0, k), w.at(c, k)),
            finish: ({ c, acc }) => clamp(shr(mul(acc, ws.at(0, c)), 20), -32_767, 32_767),
          },
        ),
      figures: [3, 44, 13_754, 1_313],
    },
    {
      name: "the root of the sum of squares",
      write: (p, { x }) =>
        p.sum(
          { type: "i64", axis: 576 },
          {
            body: ({ t, k }) => {
              const value = x.at(t, 0, k);
              return mul(value, value);
            },
            finish: ({ acc }) => udiv(2n ** 44n, max(1, isqrt(add(acc, 6_040)))),
          },
        ),
      figures: [1, 41, 8_581, 1_393],
    },
    {
      name: "a norm",
      write: (p, { x, R, ws }) =>
        p.fold({ type: "i16", cols: 576 }, ({ t, c }) =>
          clamp(mulshr(mul(x.at(t, 0, c), ws.at(0, c)), R.at(t, 0, 0), 43), -32_639, 32_639),
        ),
      figures: [3, 46, 9_953, 1_105],
    },
    {
      name: "the greatest score",
      write: (p, { scores }) => p.argmax({ rows: 9, axis: size.history }, ({ t, r, k }) => scores.at(t, r, k)),
      figures: [1, 14, 7_498, 926],
    },
    {
      name: "the sum of weights",
      write: (p, { p: weights }) =>
        p.sum({ type: "i32", rows: 9, axis: size.history }, { body: ({ t, r, k }) => weights.at(t, r, k) }),
      figures: [1, 14, 9_866, 1_470],
    },
  ])("of $name has the figures of the default model", ({ write, figures }) => {
    const cost = amongLlama(write);
    expect([cost?.loads, cost?.codeBytes, cost?.evidenceBytes, Math.round((cost?.gas ?? 0) / 1_000)]).toEqual(figures);
  });
});

describe("costOfFold over k", () => {
  const gasOfTerms = (write: (p: ProgramBuilder, at: ReturnType<typeof operands>) => FoldHandle) => {
    const cost = amongLlama(write);
    return (cost?.gas ?? 0) - 40 * (cost?.evidenceBytes ?? 0);
  };
  const product = (body: Parameters<ProgramBuilder["sum"]>[1]["body"]) => (p: ProgramBuilder) =>
    p.sum({ type: "i64", cols: 4, axis: 576 }, { body });

  it("takes the fast path whatever is computed for the rows, and only for runs with the wider first", () => {
    const fast = gasOfTerms((p, { n, w }) => product(({ t, c, k }) => mul(n.at(t, 0, k), w.at(c, k)))(p));
    const swapped = gasOfTerms((p, { n, w }) => product(({ t, c, k }) => mul(w.at(c, k), n.at(t, 0, k)))(p));
    expect(swapped - fast).toBe(576 * (2 * 250 + 300 - 90));
    const shared = gasOfTerms((p, { n, w }) =>
      product(({ t, c, k }) => {
        const row = udiv(c, 3);
        return mul(n.at(t, row, k), w.at(row, k));
      })(p),
    );
    expect(shared - fast).toBe(4_000 + 1_000 + 1_000); // udiv, its literal, one copy more than the two variables it replaces
  });

  it("opens an element of a loop through its fold, step and stage, and the loop's one record", () => {
    const cost = amongLlama((p) =>
      p.loop({}, (loop) => {
        const first = loop.fold({ type: "i8" }, () => loop.prev(second, 0, 0));
        const second = loop.fold({ type: "i8" }, () => loop.now(first, 0, 0));
        return second;
      }),
    );
    const codeBytes = 7 + 6;
    const opening = 320 + 1_024 + 32 * (1 + 11 + 10);
    expect(cost?.evidenceBytes).toBe(2 * opening + codeBytes + (5 + 2 * 41 + 32 * 11 + 192));
  });

  it("counts every term of a short sum over a column as an opening of its own", () => {
    const at = (axis: number) =>
      amongLlama((p, { w }) => p.sum({ type: "i32", axis }, { body: ({ c, k }) => w.at(k, c) }));
    const [one, two] = [at(20), at(21)];
    const opening = 320 + 1_024 + 32 * (9 + 9);
    expect((two?.evidenceBytes ?? 0) - (one?.evidenceBytes ?? 0)).toBe(opening);
    expect((two?.gas ?? 0) - (one?.gas ?? 0)).toBe(56_000 + 40 * opening);
    expect(at(64)?.scattered).toHaveLength(0);
    expect(at(65)?.scattered).toHaveLength(1);
  });
});

describe("assertAccepted", () => {
  it("accepts the known programs", () => {
    for (const program of [firstProgram(), secondProgram()]) expect(() => assertAccepted(program)).not.toThrow();
  });

  const one = { type: "i8", rows: 1, cols: 1 } as const;
  it.each<{ flaw: string; rule: number; maxT?: number; write: (p: ProgramBuilder) => void }>([
    {
      flaw: "a long sum over a column",
      rule: 3,
      write: (p) => {
        const w = p.constant({ type: "i8", rows: 65, cols: 8 });
        p.sum({ type: "i32", axis: 65 }, { body: ({ c, k }) => w.at(k, c) });
      },
    },
    {
      flaw: "a long sum over every second element",
      rule: 3,
      write: (p) => {
        const w = p.constant({ type: "i8", rows: 1, cols: 200 });
        p.sum({ type: "i32", axis: 100 }, { body: ({ k }) => w.at(0, mul(k, 2)) });
      },
    },
    {
      flaw: "a sum of squares that may overflow",
      rule: 4,
      write: (p) => {
        const x = p.request({ type: "i32", rows: 1, cols: 4 });
        p.sum({ type: "i64", axis: 4 }, { body: ({ k }) => mul(x.at(0, k), x.at(0, k)) });
      },
    },
    {
      flaw: "a run longer than a transaction",
      rule: 2,
      write: (p) => {
        const w = p.constant({ type: "i64", rows: 1, cols: 12_000 });
        p.sum({ type: "i64", axis: 12_000 }, { body: ({ k }) => and(w.at(0, k), 1) });
      },
    },
    {
      flaw: "more work than can be traced",
      rule: 2,
      maxT: 2 ** 20,
      write: (p) => p.sum({ type: "i8", rows: 2_000, axis: size.history }, { body: () => 1 }),
    },
  ])("refuses $flaw by rule $rule, naming the place", ({ write, rule, maxT = 8 }) => {
    const p = programBuilder({ maxT });
    write(p);
    p.fold(one, () => 1);
    const where = rule === 2 && maxT > 8 ? {} : { stage: 0, fold: 0 };
    expect(() => assertAccepted(p.build())).toThrow(
      expect.objectContaining({ code: "machine.not_accepted", details: expect.objectContaining({ rule, ...where }) }),
    );
  });

  it("accepts sums of squares that clamps keep small, and short sums over a column", () => {
    const p = programBuilder({ maxT: 8 });
    const w = p.constant({ type: "i8", rows: 30, cols: 8 });
    const x = p.fold({ type: "i32", cols: 576 }, ({ t, c }) => clamp(mul(t, c), -(2 ** 26), 2 ** 26));
    p.sum(
      { type: "i64", axis: 576 },
      {
        body: ({ t, k }) => {
          const value = x.at(t, 0, k);
          return mul(value, value);
        },
      },
    );
    p.sum({ type: "i32", axis: 30 }, { body: ({ c, k }) => w.at(k, c) });
    p.fold({ type: "i8" }, () => 1);
    expect(examineProgram(p.build()).refusals).toEqual([]);
  });

  it("counts work and trace bytes over all steps", () => {
    const p = programBuilder({ maxT: 4 });
    p.request({ type: "i16", rows: 1, cols: 3 });
    p.claimed({ type: "i32", rows: 1, cols: size.steps() });
    p.sum({ type: "i32", rows: 2, cols: size.history, axis: size.history }, { body: () => 1 });
    p.fold({ type: "i8", steps: size.steps(3) }, () => 1);
    const { work, traceBytes, inputBytes } = examineProgram(p.build());
    expect(inputBytes).toBe(3 * 2 + 4 * 4);
    expect(work).toBe(2n * (1n + 4n + 9n + 16n) + 2n);
    expect(traceBytes).toBe(2n * (1n + 2n + 3n + 4n) * 4n + 2n);
  });

  it("reports what may wrap without refusing it", () => {
    const p = programBuilder({ maxT: 4 });
    const x = p.request({ type: "i64", rows: 1, cols: 1 });
    p.fold({ type: "i8" }, () => add(x.at(0, 0), 1));
    const { refusals, mayWrap } = examineProgram(p.build());
    expect(refusals).toEqual([]);
    expect(mayWrap).toEqual([{ stage: 0, fold: 0, part: "body", op: "add" }]);
  });
});

describe("stepwiseReasons", () => {
  const reasonsOf = (write: (p: ProgramBuilder) => void) => {
    const p = programBuilder({ maxT: 4 });
    write(p);
    p.fold({ type: "i8" }, ({ T }) => T); // the last stage may do anything
    return stepwiseReasons(p.build()).map(({ stage, reason }) => `${stage} ${reason}`);
  };

  it.each<{ flaw: string; write: (p: ProgramBuilder) => void; reason: string }>([
    { flaw: "uses T", write: (p) => p.fold({ type: "i8" }, ({ T }) => T), reason: "0 uses T" },
    {
      flaw: "has T columns",
      write: (p) => p.fold({ type: "i8", cols: size.steps() }, () => 1),
      reason: "0 cols depends on T",
    },
    {
      flaw: "takes half the steps",
      write: (p) => p.fold({ type: "i8", steps: size.steps(2) }, () => 1),
      reason: "0 takes ceil(T / n) steps",
    },
    {
      flaw: "looks ahead",
      write: (p) => {
        const x = p.fold({ type: "i8" }, ({ t }) => t);
        p.fold({ type: "i8" }, ({ t }) => x.at(add(t, 1), 0, 0));
      },
      reason: "1 loads stage 0 at a step that may not have been taken",
    },
    {
      flaw: "looks at a token ahead",
      write: (p) => {
        const x = p.claimed({ type: "i8", rows: 1, cols: size.steps() });
        p.fold({ type: "i8" }, ({ t }) => x.at(0, sub(t, -1)));
      },
      reason: "0 loads claimed tensor 0 at a column other than t or t - e",
    },
    {
      flaw: "sums over all steps once",
      write: (p) => {
        const x = p.fold({ type: "i8" }, ({ t }) => t);
        p.sum({ type: "i8", steps: 1, axis: 3 }, { body: ({ k }) => x.at(k, 0, 0) });
      },
      reason: "1 loads stage 0, which has T steps, from a constant number of steps",
    },
  ])("says that a stage $flaw", ({ write, reason }) => expect(reasonsOf(write)).toEqual([reason]));

  it("has nothing against what a language model does", () => {
    const reasons = reasonsOf((p) => {
      const tokens = p.claimed({ type: "i32", rows: 1, cols: size.steps() });
      const key = p.fold({ type: "i16", cols: 4 }, ({ t, c }) => add(tokens.at(0, t), c));
      const scores = p.sum(
        { type: "i32", cols: size.history, axis: 4 },
        { body: ({ t, c, k }) => dot(key.at(t, 0, k), key.at(c, 0, k)) },
      );
      p.sum(
        { type: "i32", cols: 4, axis: size.history },
        { body: ({ t, c, k }) => mul(scores.at(t, 0, k), key.at(k, 0, c)) },
      );
    });
    expect(reasons).toEqual([]);
  });
});
