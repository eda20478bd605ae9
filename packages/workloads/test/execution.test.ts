import { type Engine, openWasm } from "@foldmark/machine";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { check, type Difference } from "../src/execution/check.ts";
import { Generation, generateWhole, PREFILL_STEPS } from "../src/execution/generation.ts";
import type { AnsweredJob } from "../src/execution/job.ts";
import { PARAMETER } from "../src/llama/parameters.ts";
import {
  llamaRequest,
  readLlamaRequest,
  type Sampling,
  tokenBytes,
  tokensOf,
  withLimit,
} from "../src/llama/request.ts";
import { engines } from "./support/engines.ts";
import { anOrder, type Converted, converted, greedy, randomLlama } from "./support/tinyLlama.ts";

const warm: Sampling = { temperature: 0.8, minP: 0.02, seed: 0x1234_5678_9abc_def0n };
const prompt = [7, 33, 12];

describe.each(engines)("answers of a tiny Llama, $backend", ({ backend, open }) => {
  let tiny: Converted;
  let engine: Engine;
  beforeAll(async () => {
    tiny = await converted(randomLlama({}, { sharpness: 3 }), { maxT: 16, stopIds: [] });
    engine = await tiny.open(open);
  });
  afterAll(() => engine.close());

  const known = new Map<string, ReturnType<typeof generateWhole>>();
  const answer = (sampling: Sampling = warm, limit = 6) => {
    const key = `${sampling.temperature} ${sampling.seed} ${limit}`;
    const job = known.get(key) ?? generateWhole(engine, anOrder(tiny, { prompt, limit, ...sampling }));
    known.set(key, job);
    return job;
  };
  const verdict = (job: AnsweredJob) => check(engine, { model: tiny.model, job });
  const claiming = (job: AnsweredJob, tokens: number[]): AnsweredJob => ({
    request: job.request,
    claimed: [tokenBytes(tokens)],
    T: tokens.length,
  });

  it.each([{ sampling: greedy }, { sampling: warm }])(
    "is true by its own check, $sampling.temperature",
    ({ sampling }) => {
      const job = answer(sampling);
      expect(job.tokens).toHaveLength(6);
      expect(tokensOf(job.claimed[0] as Uint8Array)).toEqual([...prompt, ...job.tokens]);
      expect(job.isCut).toBe(false);
      expect(verdict(job)).toEqual({ equal: true });
    },
  );

  it("gives the same tokens for the same seed and other tokens for another", () => {
    expect(generateWhole(engine, anOrder(tiny, { prompt, limit: 6, ...warm })).tokens).toEqual(answer().tokens);
    expect(answer({ ...warm, seed: 99n }).tokens).not.toEqual(answer().tokens);
  });

  it("says which token was changed, and the scores that refute it", () => {
    const job = answer();
    const tokens = tokensOf(job.claimed[0] as Uint8Array);
    for (const position of [3, 5, 8]) {
      const lie = tokens.with(position, ((tokens[position] as number) + 1) % 64);
      const found = verdict(claiming(job, lie));
      expect(found).toMatchObject({ equal: false, rule: "token", position });
      const { claimed, expected } = found as unknown as Extract<Difference, { rule: "token" }>;
      expect(expected.token).toBe(tokens[position]);
      expect(claimed.token).toBe(lie[position]);
      expect("score" in claimed && claimed.score < expected.score).toBe(true);
    }
  });

  it.each([
    { lie: "another prompt", tokens: (t: number[]) => t.with(1, 34), rule: "prompt", position: 1 },
    { lie: "the prompt alone", tokens: (t: number[]) => t.slice(0, 3), rule: "no_answer", position: 3 },
    { lie: "half the prompt", tokens: (t: number[]) => t.slice(0, 2), rule: "no_answer", position: 2 },
    { lie: "stopped early", tokens: (t: number[]) => t.slice(0, -1), rule: "ended_early", position: 7 },
    { lie: "past the limit", tokens: (t: number[]) => [...t, 1], rule: "ran_past_limit", position: 9 },
    { lie: "a token behind the vocabulary", tokens: (t: number[]) => t.with(4, 64), rule: "token", position: 4 },
    { lie: "a token below the vocabulary", tokens: (t: number[]) => t.with(4, -1), rule: "token", position: 4 },
  ])("refuses $lie", ({ tokens, rule, position }) => {
    const job = answer();
    const lie = tokens(tokensOf(job.claimed[0] as Uint8Array));
    expect(verdict(claiming(job, lie))).toMatchObject({ equal: false, rule, position });
  });

  it("accepts one answer to a request and no other", () => {
    const truth = tokensOf(answer().claimed[0] as Uint8Array);
    const edit = fc.record({
      at: fc.nat(8),
      remove: fc.nat(2),
      insert: fc.array(fc.integer({ min: -1, max: 64 }), { maxLength: 2 }),
    });
    fc.assert(
      fc.property(fc.array(edit, { maxLength: 2 }), (edits) => {
        const tokens = [...truth];
        for (const { at, remove, insert } of edits) tokens.splice(at, remove, ...insert);
        const isTrue = tokens.join() === truth.join();
        expect(verdict(claiming(answer(), tokens.slice(0, 16))).equal, tokens.join()).toBe(isTrue);
      }),
      { numRuns: backend === "reference" ? 3 : 300, examples: [[[]]] },
    );
  });

  it("refuses an answer to another seed", () => {
    const job = answer();
    const request = llamaRequest({ prompt, limit: 6, ...warm, seed: 99n }, tiny.configuration);
    expect(verdict({ ...job, request })).toMatchObject({ equal: false, rule: "token" });
  });

  it("refuses claims of another size than T", () => {
    const job = answer();
    expect(verdict({ ...job, T: job.T + 1 })).toMatchObject({ equal: false, rule: "claimed_shape" });
    expect(verdict({ ...job, claimed: [] })).toMatchObject({ equal: false, rule: "claimed_shape" });
    expect(verdict({ ...job, T: 0, claimed: [new Uint8Array()] })).toMatchObject({
      equal: false,
      rule: "claimed_shape",
    });
  });

  it("makes of an answer that was cut a whole answer with a lower limit", () => {
    const order = anOrder(tiny, { prompt, limit: 6, ...warm });
    using generation = Generation.start(engine, order);
    const first = [generation.next(), generation.next(), generation.next()];
    const cut = generation.finish({ length: 2 });
    expect(cut.tokens).toEqual(first.slice(0, 2));
    expect(cut.isCut).toBe(true);
    expect(readLlamaRequest(cut.request, tiny.configuration)).toEqual({
      ...readLlamaRequest(order.request, tiny.configuration),
      limit: 2,
    });
    expect(verdict(cut)).toEqual({ equal: true });
    // it goes on after that as if nothing had been
    expect([...first, generation.next()]).toEqual(answer().tokens.slice(0, 4));
  });

  it("finishes nothing before there is a token, or more than there is", () => {
    using generation = Generation.start(engine, anOrder(tiny, { prompt, limit: 6 }));
    expect(() => generation.finish()).toThrow(expect.objectContaining({ code: "execution.nothing_to_finish" }));
    generation.next();
    expect(() => generation.finish({ length: 2 })).toThrow(
      expect.objectContaining({ code: "execution.nothing_to_finish" }),
    );
  });

  it.each([
    { what: "all of it", hint: (t: number[]) => t, agreed: 6 },
    { what: "a part", hint: (t: number[]) => t.slice(0, 2), agreed: 2 },
    { what: "nothing", hint: () => [], agreed: 0 },
    { what: "more than the limit", hint: (t: number[]) => [...t, 5, 5], agreed: 6 },
    { what: "a part and a lie", hint: (t: number[]) => t.slice(0, 4).with(2, ((t[2] as number) + 1) % 64), agreed: 2 },
    { what: "a lie at the start", hint: (t: number[]) => t.with(0, ((t[0] as number) + 1) % 64), agreed: 0 },
    { what: "a lie at the end", hint: (t: number[]) => t.with(5, ((t[5] as number) + 1) % 64), agreed: 5 },
  ])("goes on from a hint of $what and agrees with $agreed tokens", ({ hint, agreed }) => {
    const whole = answer();
    using generation = Generation.start(engine, {
      ...anOrder(tiny, { prompt, limit: 6, ...warm }),
      hint: hint(whole.tokens),
    });
    expect(generation.agreed).toBe(agreed);
    expect(generation.tokens).toEqual(whole.tokens.slice(0, agreed));
    const rest: number[] = [];
    for (let token = generation.next(); token !== undefined; token = generation.next()) rest.push(token);
    expect(rest).toEqual(whole.tokens.slice(agreed));
    expect(generation.finish()).toEqual(whole);
  });

  it("never breaks on a request whose elements take their extremes", () => {
    const ends = [-(2n ** 63n), 2n ** 63n - 1n];
    const extremes = backend === "reference" ? ends : [...ends, -1n, 0n, 1n, 2n ** 32n];
    const limit = 1;
    const job = answer(warm, limit);
    const last = engine.program.stages.length - 1;
    const { stage, fold } = tiny.model.answers[0] as { stage: number; fold: number };
    for (let column = 0; column < PARAMETER.count; column++) {
      for (const value of extremes) {
        const parameters = (job.request[1] as Uint8Array).slice();
        new DataView(parameters.buffer).setBigInt64(8 * column, value, true);
        const request = [job.request[0] as Uint8Array, parameters];
        const want = [
          { stage: last, fold: 0, steps: "all" as const },
          { stage, fold, steps: "all" as const },
        ];
        const [ok, sampled] = engine.run({ T: job.T, request, claimed: job.claimed, want });
        expect([...(ok ?? [])].every((one) => one === 0 || one === 1)).toBe(true);
        expect(tokensOf(sampled ?? new Uint8Array()).every((token) => token >= 0 && token < 64)).toBe(true);
        if (column === PARAMETER.promptLength)
          expect(
            ok?.every((one) => one === 1),
            `prompt of ${value}`,
          ).toBe(false);
        if (column === PARAMETER.limit && value !== BigInt(limit))
          expect(
            ok?.every((one) => one === 1),
            `limit ${value}`,
          ).toBe(false);
      }
    }
    const tokens = tokenBytes([2 ** 31 - 1, -(2 ** 31), 64]);
    const prompts = new Uint8Array(4 * 16);
    prompts.set(tokens);
    const claimed = [tokenBytes([...tokensOf(tokens), ...job.tokens])];
    const [ok] = engine.run({
      T: job.T,
      request: [prompts, job.request[1] as Uint8Array],
      claimed,
      want: [{ stage: last, fold: 0, steps: "all" }],
    });
    expect([...(ok ?? [])].slice(0, 3)).toEqual([0, 0, 0]);
  });

  it("samples with Gumbel noise as often as the softmax says", async () => {
    // one step, many seeds: the chi-square statistic of 12 classes, 99.9 % quantile for 11 degrees 31.3
    const seeds = 1_500;
    const order = anOrder(tiny, { prompt, limit: 1 });
    const session = engine.open(order);
    const logitStage = (tiny.model.answers[0]?.stage ?? 0) - 2;
    const claimed = [tokenBytes(prompt)];
    const [result] = engine.advance([
      { session, steps: 3, claimed, want: [{ stage: logitStage, fold: 0, steps: "last" }] },
    ]);
    const logits = tokensOf(result?.[0] ?? new Uint8Array());
    const { sampleScore } = await import("../src/llama/score.ts");
    const best = Math.max(...logits);
    const temperature = 1.5;
    const weights = logits.map((logit) => Math.exp((logit - best) / 65_536 / temperature));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    const common = logits
      .map((_, token) => token)
      .sort((a, b) => (weights[b] as number) - (weights[a] as number))
      .slice(0, 11);
    const counts = new Map<number, number>();
    for (let seed = 1; seed <= seeds; seed++) {
      const sampling = { seed: BigInt(seed) * 0x9e37_79b9_7f4a_7c15n, inverseTemperature: 43_691n, gap: 2n ** 40n };
      let chosen = 0;
      let highest: bigint | undefined;
      for (const [token, logit] of logits.entries()) {
        const score = sampleScore({ step: 2, token, logit, best }, sampling);
        if (highest === undefined || score > highest) [chosen, highest] = [token, score];
      }
      const of = common.includes(chosen) ? chosen : -1;
      counts.set(of, (counts.get(of) ?? 0) + 1);
      // the engine's own sample is the same: a few seeds of the many
      if (seed % 300 === 0) {
        const request = llamaRequest(
          { prompt, limit: 1, temperature, minP: 0, seed: BigInt.asUintN(64, sampling.seed) },
          tiny.configuration,
        );
        expect(generateWhole(engine, { model: tiny.model, request, prompt, limit: 1 }).tokens).toEqual([chosen]);
      }
    }
    const expected = new Map(common.map((token) => [token, ((weights[token] as number) / total) * seeds]));
    expected.set(-1, seeds - [...expected.values()].reduce((sum, value) => sum + value, 0));
    const statistic = [...expected].reduce(
      (sum, [token, mean]) => sum + ((counts.get(token) ?? 0) - mean) ** 2 / mean,
      0,
    );
    expect(statistic).toBeLessThan(31.3);
  });
});

describe.each(engines)("stop tokens, $backend", ({ open }) => {
  const hot: Sampling = { temperature: 2, minP: 0, seed: 11n };

  it("end an answer, and nothing may follow or be left out", async () => {
    const free = await converted(randomLlama({}, { sharpness: 3 }), { maxT: 16, stopIds: [] });
    using engineOfFree = disposable(await free.open(open));
    const { tokens } = generateWhole(engineOfFree.engine, anOrder(free, { prompt, limit: 6, ...hot }));
    const stop = tokens[2] as number;
    expect(tokens.indexOf(stop)).toBe(2);

    const stopping = await converted(randomLlama({}, { sharpness: 3 }), { maxT: 16, stopIds: [63, stop] });
    using engineOfStopping = disposable(await stopping.open(open));
    const { engine } = engineOfStopping;
    const order = anOrder(stopping, { prompt, limit: 6, ...hot });
    const job = generateWhole(engine, order);
    expect(job.tokens).toEqual(tokens.slice(0, 3));
    expect(job.isCut).toBe(false);
    const verdict = (tokensClaimed: number[], request = job.request) =>
      check(engine, {
        model: stopping.model,
        job: { request, claimed: [tokenBytes([...prompt, ...tokensClaimed])], T: prompt.length + tokensClaimed.length },
      });
    expect(verdict(job.tokens)).toEqual({ equal: true });
    expect(verdict(tokens)).toMatchObject({ rule: "ran_past_stop", position: 6 });
    expect(verdict(tokens.slice(0, 2))).toMatchObject({ rule: "ended_early", position: 4 });
    expect(verdict(tokens.slice(0, 2), withLimit(job.request, 2))).toEqual({ equal: true });
    // a stop token that lies past the limit is past the limit
    expect(verdict(tokens.slice(0, 3), withLimit(job.request, 2))).toMatchObject({
      rule: "ran_past_limit",
      position: 5,
    });
    // a hint that goes on after its stop token ends there
    using generation = Generation.start(engine, { ...order, hint: tokens });
    expect([generation.agreed, generation.next()]).toEqual([3, undefined]);
    expect(generation.finish()).toEqual(job);
  });
});

const disposable = (engine: Engine) => ({ engine, [Symbol.dispose]: () => engine.close() });

describe("prefill in slices", () => {
  const longPrompt = Array.from({ length: 2 * PREFILL_STEPS + 9 }, (_, t) => (t * 7) % 64);
  const limit = PREFILL_STEPS + 40;
  let engine: Engine;
  let order: ReturnType<typeof anOrder>;
  let whole: ReturnType<typeof generateWhole>;
  const steps: number[] = [];
  beforeAll(async () => {
    const tiny = await converted(randomLlama({ context: 512 }, { sharpness: 3 }), { maxT: 512, stopIds: [] });
    const opened = await tiny.open(openWasm);
    engine = {
      ...{ program: opened.program, backend: opened.backend, run: (job, options) => opened.run(job, options) },
      ...{ open: (job, room) => opened.open(job, room), fork: (session, options) => opened.fork(session, options) },
      ...{ finish: (session, job) => opened.finish(session, job), sessionBytes: (count) => opened.sessionBytes(count) },
      ...{ snapshot: (session) => opened.snapshot(session), restore: (bytes, room) => opened.restore(bytes, room) },
      ...{ checkKernels: () => opened.checkKernels(), close: () => opened.close() },
      advance(moves) {
        steps.push(...moves.map((move) => move.steps));
        return opened.advance(moves);
      },
    };
    order = anOrder(tiny, { prompt: longPrompt, limit, ...warm });
    whole = generateWhole(engine, order);
  });
  afterAll(() => engine.close());

  it("lets a request be given up after any slice", () => {
    steps.length = 0;
    const generation = Generation.open(engine, order);
    expect(generation.read()).toBe(true);
    generation.close();
    expect(steps).toEqual([PREFILL_STEPS]);
  });

  it("goes on from a hint with a lie at any place, and reads no further than its slice", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: limit - 1 }), (at) => {
        steps.length = 0;
        const hint = whole.tokens.with(at, ((whole.tokens[at] as number) + 1) % 64);
        using generation = Generation.start(engine, { ...order, hint });
        expect(generation.agreed).toBe(at);
        expect(Math.max(...steps)).toBeLessThanOrEqual(PREFILL_STEPS);
        const read = steps.reduce((sum, count) => sum + count, 0);
        expect(read).toBeLessThanOrEqual(longPrompt.length + at + PREFILL_STEPS);
        while (generation.next() !== undefined);
        expect(generation.finish()).toEqual(whole);
      }),
      { numRuns: 5, examples: [[PREFILL_STEPS], [PREFILL_STEPS + 1], [1]] },
    );
  });
});
