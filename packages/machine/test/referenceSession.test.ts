import { describe, expect, it } from "vitest";
import { add, and, eq, type Job, mul, openReference, programBuilder, select, shr, size, sub } from "../src/index.ts";
import { littleEndian } from "./support/knownPrograms.ts";

const NEXT = { stage: 3, fold: 0 };

/**
 * A tiny generator. Parameters: first token, limit. The next token is a sum over all tokens so far; the last stage
 * compares each token with what was computed one step before, and the length with the limit.
 */
function generator() {
  const p = programBuilder({ maxT: 16 });
  const parameters = p.request({ type: "i32", rows: 1, cols: 2 });
  const tokens = p.claimed({ type: "i32", rows: 1, cols: size.steps() });
  const key = p.fold({ type: "i16", cols: 2 }, ({ t, c }) =>
    add(mul(tokens.at(0, t), add(c, 3)), tokens.at(0, sub(t, 1))),
  );
  const value = p.fold({ type: "i16", cols: 2, order: 1 }, ({ t, c }) => sub(mul(tokens.at(0, t), 5), c));
  const scores = p.sum(
    { type: "i32", cols: size.history, axis: 2 },
    { body: ({ t, c, k }) => mul(key.at(t, 0, k), key.at(c, 0, k)), finish: ({ acc }) => and(shr(acc, 2), 15) },
  );
  const next = p.sum(
    { name: "next", type: "i32", axis: size.history },
    { body: ({ t, k }) => mul(scores.at(t, 0, k), value.at(k, 0, 1)), finish: ({ acc }) => and(acc, 63) },
  );
  p.fold({ name: "ok", type: "i8" }, ({ t, T }) => {
    const expected = select(eq(t, 0), parameters.at(0, 0), next.at(sub(t, 1), 0, 0));
    return and(eq(tokens.at(0, t), expected), select(eq(t, sub(T, 1)), eq(T, parameters.at(0, 1)), 1));
  });
  return p.build();
}

const requestOf = (limit: number) => [littleEndian(4, [7, limit])];

async function decode(steps: number) {
  const engine = await openReference(generator(), () => new Uint8Array());
  const session = engine.open({ request: requestOf(9) });
  const tokens = [7];
  for (let t = 0; t < steps; t++) {
    const claimed = [littleEndian(4, [tokens[t] ?? 0])];
    const [[next] = []] = engine.advance([{ session, steps: 1, claimed, want: [{ ...NEXT, steps: "last" }] }]);
    tokens.push(new DataView(next?.buffer ?? new ArrayBuffer(4)).getInt32(0, true));
  }
  return { engine, session, tokens };
}

const jobOf = (tokens: number[], limit = tokens.length): Job => ({
  T: tokens.length,
  request: requestOf(limit),
  claimed: [littleEndian(4, tokens)],
});
const codeOf = (code: string) => expect.objectContaining({ code });

describe("a reference session", () => {
  it("signs what it decoded: every element of the last stage is 1, by session and whole", async () => {
    const { engine, session, tokens } = await decode(8);
    expect(new Set(tokens).size).toBeGreaterThan(3);
    const job = jobOf(tokens);
    expect(engine.finish(session, job)).toEqual(new Uint8Array(9).fill(1));
    expect(engine.run({ ...job, want: [{ stage: 4, fold: 0, steps: "all" }] })).toEqual([new Uint8Array(9).fill(1)]);
  });

  it("gives the same by decode, by prefill, and whole", async () => {
    const { engine, tokens } = await decode(8);
    const claimed = [littleEndian(4, tokens)];
    const want = [{ ...NEXT, steps: "all" as const }];
    const whole = engine.run({ ...jobOf(tokens), want });
    const [prefill] = engine.advance([{ session: engine.open({ request: requestOf(9) }), steps: 9, claimed, want }]);
    expect(prefill).toEqual(whole);
    expect(whole[0]?.subarray(0, 32)).toEqual(littleEndian(4, tokens.slice(1)));
  });

  it("finishes a cut answer with a lower limit", async () => {
    const { engine, session, tokens } = await decode(8);
    expect(engine.finish(session, jobOf(tokens.slice(0, 4)))).toEqual(new Uint8Array(4).fill(1));
  });

  it("finds a wrong last token and a wrong limit", async () => {
    const { engine, session, tokens } = await decode(8);
    const lie = [...tokens.slice(0, 8), (tokens[8] ?? 0) + 1];
    expect([...engine.finish(session, jobOf(lie))]).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 0]);
    expect([...engine.finish(session, jobOf(tokens, 8))]).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 0]);
  });

  it("refuses a length that it has not computed", async () => {
    const { engine, session, tokens } = await decode(3);
    expect(() => engine.finish(session, jobOf([...tokens, 1, 1]))).toThrow(codeOf("machine.step_missing"));
  });

  it("refuses a claimed column that it was not given", async () => {
    const { engine, session, tokens } = await decode(3);
    const changed = tokens.map((token, t) => (t === 1 ? token + 1 : token));
    expect(() => engine.finish(session, jobOf(changed))).toThrow(codeOf("machine.claimed_mismatch"));
  });

  it.each([
    { flaw: "no step", move: { steps: 0, claimed: [new Uint8Array()], want: [] } },
    { flaw: "more steps than maxT", move: { steps: 17, claimed: [new Uint8Array(68)], want: [] } },
    { flaw: "columns for other steps", move: { steps: 2, claimed: [new Uint8Array(4)], want: [] } },
    { flaw: "no claimed tensor", move: { steps: 1, claimed: [], want: [] } },
    {
      flaw: "a want of the last stage",
      move: { steps: 1, claimed: [new Uint8Array(4)], want: [{ stage: 4, fold: 0, steps: "last" as const }] },
    },
  ])("refuses a move with $flaw", async ({ move }) => {
    const engine = await openReference(generator(), () => new Uint8Array());
    const session = engine.open({ request: requestOf(3) });
    expect(() => engine.advance([{ session, ...move }])).toThrow(codeOf("machine.bad_move"));
    expect(session.steps).toBe(0);
  });

  it("refuses a request that differs where an earlier stage loads it", async () => {
    const p = programBuilder({ maxT: 4 });
    const parameters = p.request({ type: "i32", rows: 1, cols: 3 });
    const x = p.fold({ type: "i32" }, ({ t }) => add(t, parameters.at(0, 1)));
    p.fold({ type: "i8" }, ({ t }) => eq(x.at(t, 0, 0), add(t, parameters.at(0, 2))));
    const engine = await openReference(p.build(), () => new Uint8Array());
    const session = engine.open({ request: [littleEndian(4, [1, 2, 3])] });
    engine.advance([{ session, steps: 2, claimed: [], want: [] }]);
    const finish = (request: number[]) =>
      engine.finish(session, { T: 2, request: [littleEndian(4, request)], claimed: [] });
    expect(finish([9, 2, 2])).toEqual(Uint8Array.of(1, 1));
    expect(() => finish([1, 3, 3])).toThrow(codeOf("machine.request_mismatch"));
  });
});
