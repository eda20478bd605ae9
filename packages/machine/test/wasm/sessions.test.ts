import { describe, expect, it } from "vitest";
import type { Engine, Session } from "../../src/engine.ts";
import { add, eq, mul, openReference, programBuilder, size, udiv } from "../../src/index.ts";
import { openWasm, openWasmWith } from "../../src/wasm/index.ts";
import { tinyConstants, tinyTransformer } from "./tinyTransformer.ts";

const shape = { maxT: 200, width: 48, heads: 6, group: 3, headSize: 16, vocabulary: 90, layers: 2 };
const { program, logits, sample } = tinyTransformer(shape);
const constants = tinyConstants(program, 7);
const source = (index: number) => constants[index] ?? new Uint8Array();
const wantLogits = [{ stage: logits.stage, fold: 0, steps: "all" as const }];
const wantSample = [{ stage: sample.stage, fold: 0, steps: "last" as const }];
const i32 = (values: number[]) => new Uint8Array(Int32Array.from(values).buffer);
const request = (prompt: number[]) => [
  i32([...prompt, ...Array<number>(shape.maxT - prompt.length).fill(0)]),
  i32([prompt.length]),
];
const tokenIn = (bytes: Uint8Array | undefined) =>
  new DataView((bytes ?? new Uint8Array(4)).slice().buffer).getInt32(0, true);
const someTokens = (count: number) => Array.from({ length: count }, (_, t) => (t * 37 + 11) % shape.vocabulary);

/** Moves a session over tokens in pieces and returns the logits of every step. */
function logitsOf(engine: Engine, session: Session, tokens: number[], piece: number): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let t = 0; t < tokens.length; t += piece) {
    const taken = tokens.slice(t, t + piece);
    const [[bytes] = []] = engine.advance([{ session, steps: taken.length, claimed: [i32(taken)], want: wantLogits }]);
    parts.push(bytes ?? new Uint8Array());
  }
  return Uint8Array.from(Buffer.concat(parts));
}

/** A prompt and what the model answers to it. */
function answer(engine: Engine, prompt: number[], count: number) {
  const session = engine.open({ request: request(prompt) });
  const [[first] = []] = engine.advance([{ session, steps: prompt.length, claimed: [i32(prompt)], want: wantSample }]);
  const tokens = [...prompt, tokenIn(first)];
  while (tokens.length < prompt.length + count) {
    const [[next] = []] = engine.advance([{ session, steps: 1, claimed: [i32(tokens.slice(-1))], want: wantSample }]);
    tokens.push(tokenIn(next));
  }
  return { session, tokens };
}

describe("a session of a transformer", () => {
  it("gives the reference's logits", async () => {
    const tokens = someTokens(6);
    const job = { T: tokens.length, request: request(tokens.slice(0, 2)), claimed: [i32(tokens)], want: wantLogits };
    const expected = (await openReference(program, source)).run(job);
    expect((await openWasm(program, source)).run(job)).toEqual(expected);
  });

  it.each([
    { heads: 2, group: 1, headSize: 8, width: 8 },
    { heads: 3, group: 3, headSize: 16, width: 20 },
    { heads: 2, group: 2, headSize: 64, width: 12 },
    { heads: 4, group: 2, headSize: 6, width: 16 },
  ])("gives every element of the reference over a longer history, $heads heads of $headSize", async (of) => {
    const other = tinyTransformer({ maxT: 64, vocabulary: 7, layers: 1, ...of });
    const weights = tinyConstants(other.program, of.headSize);
    const tokens = Array.from({ length: 37 }, (_, t) => (t * 5 + (t >> 2)) % 7);
    const request = [i32([1, ...Array<number>(63).fill(0)]), i32([1])];
    const want = other.program.stages.map((_, stage) => ({ stage, fold: 0, steps: "all" as const }));
    const job = { T: tokens.length, request, claimed: [i32(tokens)], want };
    const engines = [openReference, openWasm].map((open) => open(other.program, (i) => weights[i] ?? new Uint8Array()));
    const [expected, actual] = (await Promise.all(engines)).map((engine) => engine.run(job));
    for (const stage of want.keys()) expect(actual?.[stage], `stage ${stage}`).toEqual(expected?.[stage]);
  });

  it("decodes, prefills, batches and runs whole to the same logits", async () => {
    const engine = await openWasm(program, source);
    const tokens = someTokens(150);
    const open = () => engine.open({ request: request([1]) });
    const decoded = logitsOf(engine, open(), tokens, 1);
    expect(decoded.length).toBe(150 * shape.vocabulary * 4);
    expect(new Set(new Int32Array(decoded.buffer)).size).toBeGreaterThan(5_000);
    for (const piece of [2, 7, 64, 65, 150])
      expect(logitsOf(engine, open(), tokens, piece), `pieces of ${piece}`).toEqual(decoded);
    const [whole] = engine.run({ T: 150, request: request([1]), claimed: [i32(tokens)], want: wantLogits });
    expect(whole).toEqual(decoded);

    for (const count of [2, 8, 33]) {
      const sessions = Array.from({ length: count }, open);
      // each session is some steps ahead of the next, so that their histories differ in length
      const parts = sessions.map((session, i) => [logitsOf(engine, session, tokens.slice(0, 1 + (i % 5)), 64)]);
      while (sessions.some(({ steps }) => steps < 20)) {
        const moves = sessions.map((session) => ({
          session,
          steps: 1,
          claimed: [i32([tokens[session.steps] ?? 0])],
          want: wantLogits,
        }));
        for (const [i, [bytes]] of engine.advance(moves).entries()) parts[i]?.push(bytes ?? new Uint8Array());
      }
      for (const own of parts) {
        const bytes = Uint8Array.from(Buffer.concat(own));
        expect(bytes).toEqual(decoded.subarray(0, bytes.length));
      }
      for (const session of sessions) session.close();
    }
  });

  it("finishes an honest answer with ones, and a changed token with a zero at its place", async () => {
    const engine = await openWasm(program, source);
    const prompt = [5, 17, 42];
    const { session, tokens } = answer(engine, prompt, 9);
    const job = { T: tokens.length, request: request(prompt), claimed: [i32(tokens)] };
    expect(session.steps).toBe(tokens.length - 1);
    expect(engine.finish(session, job)).toEqual(new Uint8Array(12).fill(1));
    const last = { stage: program.stages.length - 1, fold: 0, steps: "all" as const };
    expect(engine.run({ ...job, want: [last] })[0]).toEqual(new Uint8Array(12).fill(1));
    const lie = tokens.with(7, ((tokens[7] ?? 0) + 1) % shape.vocabulary);
    const [ok = new Uint8Array()] = engine.run({ ...job, claimed: [i32(lie)], want: [last] });
    expect(ok.indexOf(0)).toBe(7);
  });

  it("judges an answer also where what the last stage loads was not wanted", async () => {
    const engine = await openWasm(program, source);
    const { tokens } = answer(engine, [5, 17], 3);
    const session = engine.open({ request: request([5, 17]) });
    engine.advance([{ session, steps: tokens.length, claimed: [i32(tokens)], want: [] }]);
    const finish = (claimed: number[]) =>
      engine.finish(session, { T: claimed.length, request: request([5, 17]), claimed: [i32(claimed)] });
    expect(finish(tokens)).toEqual(new Uint8Array(tokens.length).fill(1));
    expect(finish(tokens.slice(0, 2))).toEqual(Uint8Array.of(1, 1));
    expect(session.steps).toBe(tokens.length);
  });

  it("divides by what was not wanted once it is computed, not before", async () => {
    const p = programBuilder({ maxT: 4 });
    const x = p.fold({ type: "i32" }, ({ t }) => add(t, 1));
    p.fold({ type: "i32" }, ({ t }) => udiv(add(t, 12), x.at(t, 0, 0)));
    const engine = await openWasm(p.build(), () => new Uint8Array());
    const session = engine.open({ request: [] });
    engine.advance([{ session, steps: 3, claimed: [], want: [] }]);
    expect(engine.finish(session, { T: 3, request: [], claimed: [] })).toEqual(i32([12, 6, 4]));
  });

  it("says that a step is missing rather than judge an answer by it", async () => {
    const p = programBuilder({ maxT: 4 });
    const x = p.fold({ type: "i32" }, ({ t }) => add(t, 1));
    p.fold({ type: "i8" }, ({ t }) => eq(x.at(t, 0, 0), add(t, 1)));
    const engine = await openWasm(p.build(), () => new Uint8Array());
    const session = engine.open({ request: [] });
    engine.advance([{ session, steps: 2, claimed: [], want: [] }]);
    expect(engine.finish(session, { T: 2, request: [], claimed: [] })).toEqual(Uint8Array.of(1, 1));
    const tooLong = () => engine.finish(session, { T: 3, request: [], claimed: [] });
    expect(tooLong).toThrow(expect.objectContaining({ code: "machine.step_missing" }));
  });

  it("loads zeros before the first step of a loop, however long its histories may become", async () => {
    const p = programBuilder({ maxT: 300 });
    const seen = p.loop({}, (loop) => {
      const h = loop.fold({ type: "i32", rows: 9, cols: size.history }, ({ t, r, c }) =>
        add(loop.prev(h, r, c), add(mul(t, 100), add(r, c))),
      );
      return h;
    });
    p.fold({ type: "i8" }, () => 1);
    const program = p.build();
    const want = [{ stage: seen.stage, fold: 0, steps: "all" as const }];
    const [reference, engine] = await Promise.all(
      [openReference, openWasm].map((open) => open(program, () => new Uint8Array())),
    );
    const expected = reference?.run({ T: 20, request: [], claimed: [], want })[0] ?? new Uint8Array();
    const longer = engine?.open({ request: [] });
    if (engine === undefined || longer === undefined) throw new Error("no engine");
    engine.advance([{ session: longer, steps: 290, claimed: [], want: [] }]);
    longer.close();
    const session = engine.open({ request: [] });
    const parts = [1, 4, 15].map(
      (steps) => engine.advance([{ session, steps, claimed: [], want }])[0]?.[0] ?? new Uint8Array(),
    );
    expect(Uint8Array.from(Buffer.concat(parts))).toEqual(expected);
    expect(engine.run({ T: 20, request: [], claimed: [], want })[0]).toEqual(expected);
  });

  it("gives its memory back, and says before how much it will be", async () => {
    const engine = await openWasmWith(program, source, {});
    const warm = engine.open({ request: request([1]) });
    logitsOf(engine, warm, someTokens(150), 64);
    warm.close();
    const before = engine.usedBytes;
    const session = engine.open({ request: request([1]) });
    logitsOf(engine, session, someTokens(130), 64);
    const requestBytes = 2 * 1024;
    expect(engine.usedBytes - before).toBeGreaterThan(engine.sessionBytes(130) / 2);
    expect(engine.usedBytes - before).toBeLessThanOrEqual(engine.sessionBytes(200) + requestBytes);
    session.close();
    expect(engine.usedBytes).toBe(before);
    expect(() => engine.advance([{ session, steps: 1, claimed: [i32([1])], want: [] }])).toThrow(
      expect.objectContaining({ code: "machine.bad_session" }),
    );
  });

  it("fails a call that finds no memory, and goes on with the others", async () => {
    const used = (await openWasmWith(program, source, {})).usedBytes;
    const engine = await openWasmWith(program, source, { memoryLimitBytes: used + 900_000 });
    const first = engine.open({ request: request([1]) });
    const tokens = someTokens(20);
    const expected = logitsOf(engine, first, tokens, 1);
    const others: Session[] = [];
    expect(() => {
      for (;;) others.push(engine.open({ request: request([1]) }));
    }).toThrow(expect.objectContaining({ code: "machine.out_of_memory" }));
    expect(() => logitsOf(engine, first, someTokens(150), 1)).toThrow(
      expect.objectContaining({ code: "machine.out_of_memory" }),
    );
    others.pop()?.close();
    const again = others[0] ?? first;
    expect(logitsOf(engine, again, tokens, 1)).toEqual(expected);
  });

  it("computes every matrix product and every attention sum in a kernel", async () => {
    const engine = await openWasmWith(program, source, {});
    const kernels = engine.explain().filter((each) => each.class === "kernel");
    expect(kernels.filter(({ kernel }) => kernel.startsWith("dot i16"))).toHaveLength(4 * shape.layers + 1);
    expect(kernels.filter(({ kernel }) => kernel === "dot of runs, blocks of 3 x 4")).toHaveLength(2 * shape.layers);
  });

  it("says what each fold that was computed took, and nothing of the others", async () => {
    const engine = await openWasmWith(program, source, {});
    const session = engine.open({ request: request([1]) });
    const folds = engine.profile(() => logitsOf(engine, session, someTokens(20), 20));
    expect(folds.map(({ milliseconds, ...fold }) => fold)).toEqual(engine.explain());
    const last = program.stages.length - 1;
    for (const { stage, milliseconds } of folds) {
      if (stage === last) expect(milliseconds).toBe(0);
      else if (stage <= logits.stage) expect(milliseconds).toBeGreaterThan(0);
    }
    const before = engine.profile(() => {});
    expect(before.every(({ milliseconds }) => milliseconds === 0)).toBe(true);
  });

  it("refuses every call once the engine is closed", async () => {
    const engine = await openWasm(program, source);
    const session = engine.open({ request: request([1]) });
    engine.close();
    session.close();
    expect(() => engine.open({ request: request([1]) })).toThrow(expect.objectContaining({ code: "machine.closed" }));
  });
});
