import { type Engine, MachineError, type Move, openReference, openWasm, openWasmWith } from "@foldmark/machine";
import { type GenerationOptions, generateWhole } from "@foldmark/workloads";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { anOrder, type Converted, converted, randomLlama } from "../../workloads/test/support/tinyLlama.ts";
import { Batch } from "../src/engine/batch.ts";

const MAX_T = 48;
let tiny: Converted;
beforeAll(async () => {
  tiny = await converted(randomLlama({ context: MAX_T }, { sharpness: 3 }), { maxT: MAX_T, stopIds: [3] });
});

type Answer = { tokens: number[]; agreed?: number; isGenerated: boolean; failure?: string };

/** A batch whose answers are kept, and a clock that moves by `callMs` for each call of the engine and `openMs` for a session. */
function aBatch(
  engine: Engine,
  { callMs = (): number => 1, openMs = 0, isCancelled = (_id: number): boolean => false } = {},
) {
  const answers = new Map<number, Answer>();
  const of = (id: number): Answer => {
    const answer = answers.get(id) ?? { tokens: [], isGenerated: false };
    answers.set(id, answer);
    return answer;
  };
  let time = 0;
  const timed = watched(
    engine,
    () => {},
    () => {
      time += callMs();
    },
  );
  const open: Engine["open"] = (job, room) => {
    time += openMs;
    return engine.open(job, room);
  };
  const batch = new Batch(
    { ...timed, open },
    {
      listener: {
        hint: (id, agreed) => {
          of(id).agreed = agreed;
        },
        token: (id, token) => of(id).tokens.push(token),
        generated: (id) => {
          of(id).isGenerated = true;
        },
        failed: (id, { code }) => {
          of(id).failure = code;
        },
      },
      isCancelled,
      clock: () => time,
    },
  );
  return { batch, of };
}

/** An engine whose calls are seen, before and after they are made. */
function watched(engine: Engine, onAdvance: (moves: Move[]) => void, onAdvanced = () => {}): Engine {
  return {
    ...{ program: engine.program, backend: engine.backend, run: (job, options) => engine.run(job, options) },
    ...{ open: (job, room) => engine.open(job, room), fork: (session, options) => engine.fork(session, options) },
    ...{ finish: (session, job) => engine.finish(session, job), sessionBytes: (steps) => engine.sessionBytes(steps) },
    ...{ snapshot: (session) => engine.snapshot(session), restore: (bytes, room) => engine.restore(bytes, room) },
    ...{ checkKernels: () => engine.checkKernels(), close: () => engine.close() },
    advance(moves, options) {
      onAdvance(moves);
      const results = engine.advance(moves, options);
      onAdvanced();
      return results;
    },
  };
}

const aPrompt = (length: number, from: number) => Array.from({ length }, (_, t) => (from + 11 * t) % 64);

/** A request that joins before tick `at`, and leaves with an answer of `cut` tokens, or with nothing at tick `abortedAt`. */
const aRequest = fc.record({
  // few beginnings, so that many a prompt goes on from what was read for another
  prompt: fc.tuple(fc.integer({ min: 1, max: 30 }), fc.nat(3)).map(([length, from]) => aPrompt(length, from)),
  limit: fc.integer({ min: 1, max: 18 }),
  temperature: fc.constantFrom(0, 0.7, 1.3),
  minP: fc.constantFrom(0, 0.05),
  seed: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  payer: fc.constantFrom("a", "b", "c"),
  at: fc.nat(25),
  cut: fc.option(fc.integer({ min: 1, max: 18 }), { nil: undefined }),
  abortedAt: fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined, freq: 5 }),
  /** How much of the true answer is claimed beforehand, and where that lies. */
  hint: fc.option(fc.record({ length: fc.nat(18), lieAt: fc.option(fc.nat(18)) }), { nil: undefined }),
});

describe.each([
  { backend: "reference", open: openReference, runs: 1, most: 3 },
  { backend: "wasm", open: openWasm, runs: 150, most: 7 },
])("a batch, $backend", ({ open, runs, most }) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await tiny.open(open);
  });
  afterAll(() => engine.close());

  it("gives every answer as if it were computed alone, whoever joins and leaves", () => {
    const requests = fc.array(aRequest, { minLength: 2, maxLength: most });
    const speeds = fc.array(fc.double({ min: 0.1, max: 300, noNaN: true }), { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(requests, speeds, (drawn, callsMs) => {
        let calls = 0;
        const { batch, of } = aBatch(engine, { callMs: () => callsMs[calls++ % callsMs.length] as number });
        const expected = drawn.map((request) => {
          const order = anOrder(tiny, request);
          const whole = generateWhole(engine, order);
          const length = Math.min(request.cut ?? whole.tokens.length, whole.tokens.length);
          const { length: hinted = 0, lieAt } = request.hint ?? {};
          const truth = whole.tokens.slice(0, hinted);
          const hint = truth.map((token, i) => (i === lieAt ? (token + 1) % 64 : token));
          return { order, whole, length, hint: request.hint && hint };
        });
        const open = new Set(drawn.keys());
        for (let tick = 0; open.size > 0; tick++) {
          for (const [id, { at, payer }] of drawn.entries()) {
            const { order, hint } = expected[id] as (typeof expected)[number];
            if (at === tick) batch.add({ id, payer, ...order, ...(hint ? { hint } : {}) });
          }
          for (const id of [...open]) {
            const { abortedAt, at, prompt } = drawn[id] as (typeof drawn)[number];
            const { whole, length } = expected[id] as (typeof expected)[number];
            const { tokens, agreed = 0 } = of(id);
            if (abortedAt !== undefined && tick === at + abortedAt) {
              batch.remove(id);
              open.delete(id);
            } else if (agreed + tokens.length >= length) {
              const { T, claimed, isCut, tokens: answered } = { ...whole, ...batch.finish(id, { length }) };
              expect({ T, answered, isCut }, `answer ${id}`).toEqual({
                ...{ T: prompt.length + length, answered: whole.tokens.slice(0, length) },
                isCut: length < whole.tokens.length,
              });
              expect(claimed, `answer ${id}`).toEqual([whole.claimed[0]?.subarray(0, 4 * T)]);
              expect(tokens, `answer ${id}`).toEqual(whole.tokens.slice(agreed, agreed + tokens.length));
              open.delete(id);
            }
          }
          if (batch.isBusy) batch.tick({ share: 1 });
        }
      }),
      { numRuns: runs },
    );
  });
});

describe("a batch", () => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await tiny.open(openWasm);
  });
  afterAll(() => engine.close());

  const order = (change: Partial<Parameters<typeof anOrder>[1]> = {}): GenerationOptions =>
    anOrder(tiny, { prompt: aPrompt(20, 7), limit: 8, temperature: 0.8, minP: 0, seed: 5n, ...change });

  it("moves all its answers in one call of the engine", () => {
    const calls: number[][] = [];
    const { batch, of } = aBatch(watched(engine, (moves) => calls.push(moves.map(({ steps }) => steps))));
    batch.add({ id: 1, payer: "a", ...order() });
    batch.tick({ share: 1 });
    batch.add({ id: 2, payer: "a", ...order({ prompt: aPrompt(9, 1) }) });
    batch.add({ id: 3, payer: "b", ...order({ prompt: aPrompt(5, 2) }) });
    batch.tick({ share: 1 });
    batch.tick({ share: 1 });
    expect(calls).toEqual([[20], [1, 9, 5], [1, 1, 1]]);
    expect([1, 2, 3].map((id) => of(id).tokens.length)).toEqual([3, 2, 2]);
  });

  it("reads prompts in slices that its streams can bear, and as fast as it can while nothing streams", () => {
    const slices: number[] = [];
    const seen = watched(engine, (moves) => slices.push(moves.at(-1)?.steps ?? 0));
    const { batch } = aBatch(seen, { callMs: () => 10 * (slices.at(-1) ?? 0) });
    batch.add({ id: 1, payer: "a", ...order({ prompt: aPrompt(30, 7), limit: 18 }) });
    batch.tick({ share: 1 });
    batch.add({ id: 2, payer: "b", ...order({ prompt: aPrompt(30, 3) }) });
    for (let tick = 0; tick < 3; tick++) batch.tick({ share: 1 });
    // 10 ms a token: seven of them in 75 ms, one of which is the stream's
    expect(slices.slice(0, 2)).toEqual([30, 6]);
    expect(Math.max(...slices.slice(1))).toBeLessThanOrEqual(7);
    batch.remove(1);
    batch.tick({ share: 1 });
    expect(slices.at(-1)).toBeGreaterThan(7);
  });

  it("reads less where joining has kept its streams waiting", () => {
    const slices: number[] = [];
    const seen = watched(engine, (moves) => slices.push(moves.at(-1)?.steps ?? 0));
    const { batch } = aBatch(seen, {
      openMs: 40,
      callMs: () => 5 * ((slices.at(-1) ?? 0) + (slices.length > 1 ? 1 : 0)),
    });
    batch.add({ id: 1, payer: "a", ...order({ prompt: aPrompt(30, 7), limit: 18 }) });
    batch.tick({ share: 1 });
    batch.add({ id: 2, payer: "b", ...order({ prompt: aPrompt(30, 3) }) });
    for (let tick = 0; tick < 2; tick++) batch.tick({ share: 1 });
    // 15 tokens of 5 ms in 75 ms, one of them the stream's; eight fewer in 40 ms less
    expect(slices).toEqual([30, 6, 14]);
  });

  it("lets payers take turns, so that one with many prompts holds up nobody", () => {
    const read: Move["session"][][] = [];
    const seen = watched(engine, (moves) => read.push(moves.map(({ session }) => session)));
    const { batch, of } = aBatch(seen, { callMs: () => 1_000 });
    batch.add({ id: 0, payer: "stream", ...order({ prompt: [1], limit: 40 }) });
    batch.tick({ share: 1 });
    for (let id = 1; id <= 20; id++) batch.add({ id, payer: "many", ...order() });
    batch.add({ id: 21, payer: "one", ...order() });
    let ticks = 0;
    for (; of(21).tokens.length === 0; ticks++) batch.tick({ share: 1 });
    // a prompt of 20 tokens in slices of 4, every other one of which is of the other payer
    expect(ticks).toBe(10);
    expect(of(1).tokens.length).toBeGreaterThan(0);
    expect(of(2).tokens).toEqual([]);
  });

  it("ends the answer that an error belongs to, and no other", () => {
    let broken: Move["session"] | undefined;
    const failing = watched(engine, (moves) => {
      broken ??= moves[1]?.session;
      if (moves.some(({ session }) => session === broken))
        throw Object.assign(new Error("no room"), { code: "machine.out_of_memory" });
    });
    const { batch, of } = aBatch(failing);
    for (const id of [1, 2, 3]) batch.add({ id, payer: "a", ...order({ prompt: aPrompt(4, id) }) });
    while (batch.isBusy) batch.tick({ share: 1 });
    expect([1, 2, 3].map((id) => of(id).failure)).toEqual([undefined, "machine.out_of_memory", undefined]);
    for (const id of [1, 3]) {
      const whole = generateWhole(engine, order({ prompt: aPrompt(4, id) }));
      expect(of(id)).toEqual({ tokens: whole.tokens, isGenerated: true });
      expect(batch.finish(id, {})).toMatchObject({ T: whole.T, claimed: whole.claimed });
    }
    expect(batch.has(2)).toBe(false);
  });

  it("lets pass what leaves an engine unusable, so that another one is opened", () => {
    const dying = watched(engine, () => {
      throw new MachineError("machine.thread_lost", "A thread of the engine has ended.");
    });
    const { batch, of } = aBatch(dying);
    batch.add({ id: 1, payer: "a", ...order() });
    expect(() => batch.tick({ share: 1 })).toThrow(expect.objectContaining({ code: "machine.thread_lost" }));
    expect(of(1).failure).toBeUndefined();
  });

  it("lets answers wait for room, and refuses one for which there never is any", async () => {
    const wide = await converted(randomLlama({ context: 1_024 }, { sharpness: 3 }), { maxT: 1_024, stopIds: [] });
    const openLimited = (memoryLimitBytes?: number) =>
      openWasmWith(
        wide.model.program,
        (index) => wide.constants[index] as Uint8Array,
        memoryLimitBytes === undefined ? {} : { memoryLimitBytes },
      );
    const orders = [1, 2, 3, 4, 5].map((id) => anOrder(wide, { prompt: aPrompt(70, id), limit: 900 - id }));
    const streamed = (id: number) => ({ id, payer: "a", ...(orders[id - 1] as GenerationOptions) });

    const free = await openLimited();
    const needed: number[] = [];
    const alone = aBatch(free);
    for (const id of [1, 2]) {
      alone.batch.add(streamed(id));
      alone.batch.tick({ share: 1 });
      alone.batch.tick({ share: 1 });
      needed.push(free.usedBytes);
    }
    const [one, two] = needed as [number, number];

    const tight = await openLimited(two + Math.floor((two - one) / 2));
    let most = 0;
    const { batch, of } = aBatch(
      watched(tight, (moves) => {
        most = Math.max(most, moves.length);
      }),
    );
    for (const id of [1, 2, 3, 4, 5]) batch.add(streamed(id));
    batch.remove(4);
    for (const id of [1, 2, 3, 5]) {
      while (!of(id).isGenerated && batch.isBusy) batch.tick({ share: 1 });
      const { T, claimed } = batch.finish(id, { length: 3 });
      expect({ T, claimed }, `answer ${id}`).toEqual({
        ...{
          T: 73,
          claimed: [generateWhole(free, orders[id - 1] as GenerationOptions).claimed[0]?.subarray(0, 4 * T)],
        },
      });
    }
    expect({ most, isBusy: batch.isBusy }).toEqual({ most: 2, isBusy: false });

    const tiniest = aBatch(await openLimited(one - Math.floor((two - one) / 2)));
    expect(() => tiniest.batch.add(streamed(1))).toThrow(expect.objectContaining({ code: "machine.out_of_memory" }));
    expect(tiniest.batch.has(1)).toBe(false);
  });

  it("ends a call at once when all of its answers were called off, and tells nobody", () => {
    const cancelled = new Set<number>();
    let calls = 0;
    const seen = watched(engine, () => {
      calls++;
      if (calls === 2) cancelled.add(1);
      if (calls === 4) for (const id of [1, 2]) cancelled.add(id);
    });
    const { batch, of } = aBatch(seen, { isCancelled: (id) => cancelled.has(id) });
    for (const id of [1, 2]) batch.add({ id, payer: "a", ...order({ limit: 20 }) });
    for (let tick = 0; tick < 3; tick++) batch.tick({ share: 1 });
    // called off beside one that was not: computed nevertheless
    expect([of(1).tokens.length, of(2).tokens.length]).toEqual([3, 3]);
    batch.tick({ share: 1 });
    expect([of(1), of(2)]).toMatchObject([{ tokens: { length: 3 } }, { tokens: { length: 3 } }]);
    expect([of(1).failure, of(2).failure, batch.isBusy, batch.has(1)]).toEqual([undefined, undefined, false, false]);
  });

  it("reads of a conversation only what is new since the payer's last turn, with whatever seed", () => {
    const read: number[] = [];
    const { batch, of } = aBatch(
      watched(engine, (moves) => {
        read.push(...moves.map(({ steps }) => steps));
      }),
    );
    const ask = (id: number, payer: string, options: GenerationOptions) => {
      read.length = 0;
      batch.add({ id, payer, ...options });
      while (batch.isBusy) batch.tick({ share: 1 });
      const { tokens, T, claimed } = batch.finish(id, {}) as ReturnType<typeof generateWhole>;
      const whole = generateWhole(engine, options);
      expect({ tokens, T, claimed }, `answer ${id}`).toEqual({
        tokens: whole.tokens,
        T: whole.T,
        claimed: whole.claimed,
      });
      return { tokens, first: read[0] };
    };
    const turn = order({ prompt: aPrompt(12, 7), limit: 6 });
    const first = ask(1, "a", turn);
    const said = [...turn.prompt, ...first.tokens];
    const next = order({ prompt: [...said, 40, 41, 42], limit: 6, seed: 99n, temperature: 1.2 });
    // the answer's last token was never read, and three are new
    expect(ask(2, "a", next).first).toBe(4);
    // the same again: somebody has to ask what follows its last token
    expect(ask(3, "a", next).first).toBe(1);
    // another way on from the middle
    expect(ask(4, "a", order({ prompt: [...said.slice(0, 10), 50, 51] })).first).toBe(2);
    // nobody else's
    expect(ask(5, "b", next).first).toBe(next.prompt.length);
    expect(of(5).failure).toBeUndefined();
  });
});
