import { openWasm } from "@foldmark/machine";
import { createLogger } from "@foldmark/service";
import {
  callRequest,
  check,
  families,
  type LlamaConfiguration,
  llamaRequest,
  openPackage,
  tokensOf,
} from "@foldmark/workloads";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Completion, EngineListener } from "../src/engine/answerEngine.ts";
import { type OpenedModel, openModel } from "../src/engine/openModel.ts";
import { WorkerEngine } from "../src/engine/workerEngine.ts";
import { measureTokensPerSecond } from "../src/hardware/measureModel.ts";
import { simulationPackage, tinyChatPackage } from "./tinyPackage.ts";

const log = createLogger({ name: "node", level: "error" });
const PROMPT = [7, 33, 12];

let configuration: LlamaConfiguration;
let chat: OpenedModel;
let simulation: OpenedModel;
let engine: WorkerEngine;
beforeAll(async () => {
  const tiny = await tinyChatPackage();
  configuration = tiny.configuration;
  chat = await openModel(tiny.folder);
  simulation = await openModel(await simulationPackage());
  engine = await WorkerEngine.open({ models: [chat, simulation] }, { log });
});
afterAll(() => engine.close());

const request = (limit: number) =>
  llamaRequest({ prompt: PROMPT, limit, temperature: 0.8, minP: 0, seed: 5n }, configuration);

/** Runs a request; `onTokens` sees how many have come. */
function run({
  limit,
  hint,
  onTokens,
}: {
  limit: number;
  hint?: number[];
  onTokens?: (count: number, cut: (n: number) => void) => void;
}) {
  const tokens: number[] = [];
  const agreed: number[] = [];
  const listener: EngineListener = {
    hint: (count) => agreed.push(count),
    tokens(ids) {
      tokens.push(...ids);
      onTokens?.(tokens.length, (n) => started.cut(n));
    },
  };
  const started = engine.run({ asset: chat.asset, request: request(limit), ...(hint ? { hint } : {}) }, listener);
  return { tokens, agreed, started, result: started.result };
}

const answerTokens = ({ claimed }: Completion) => tokensOf(claimed[0] ?? new Uint8Array()).slice(PROMPT.length);

async function isTrue(model: OpenedModel, { T, request, claimed }: Completion) {
  const { program, constants, manifest } = await openPackage(model.folder, { families });
  const checker = await openWasm(program, constants);
  const verdict = check(checker, { model: manifest, job: { T, request, claimed } });
  checker.close();
  return verdict;
}

describe("WorkerEngine", () => {
  it("streams the tokens of an answer that is true", async () => {
    const { tokens, result } = run({ limit: 10 });
    const completion = await result;
    expect(tokens).toHaveLength(10);
    expect(answerTokens(completion)).toEqual(tokens);
    expect(completion.T).toBe(PROMPT.length + 10);
    expect(await isTrue(chat, completion)).toEqual({ equal: true });
  });

  it("ends a cut answer with a lowered limit, and it is the beginning of the whole one", async () => {
    const whole = await run({ limit: 40 }).result;
    const cut = await run({ limit: 40, onTokens: (count, end) => count === 5 && end(4) }).result;
    expect(answerTokens(cut)).toEqual(answerTokens(whole).slice(0, 4));
    expect(chat.measure(cut.request)).toMatchObject({ limit: 4 });
    expect(await isTrue(chat, cut)).toEqual({ equal: true });
  });

  it("goes on from a hint as far as it agrees", async () => {
    const whole = answerTokens(await run({ limit: 8 }).result);
    const right = run({ limit: 8, hint: whole.slice(0, 5) });
    expect(answerTokens(await right.result)).toEqual(whole);
    expect({ agreed: right.agreed, tokens: right.tokens }).toEqual({ agreed: [5], tokens: whole.slice(5) });
    const wrong = run({ limit: 8, hint: whole.slice(0, 5).with(2, ((whole[2] ?? 0) + 1) % 64) });
    expect(answerTokens(await wrong.result)).toEqual(whole);
    expect({ agreed: wrong.agreed, tokens: wrong.tokens }).toEqual({ agreed: [2], tokens: whole.slice(2) });
  });

  it("computes nothing more for a request that was aborted", async () => {
    const { started, result } = run({ limit: 60, onTokens: () => started.abort() });
    await expect(result).rejects.toMatchObject({ code: "request.cancelled" });
    expect(answerTokens(await run({ limit: 4 }).result)).toHaveLength(4);
  });

  it("computes several chats at once, each as if it were alone", async () => {
    const limits = [3, 12, 30, 7];
    const alone: number[][] = [];
    for (const limit of limits) alone.push(answerTokens(await run({ limit }).result));
    const together = limits.map((limit) => run({ limit }));
    const order: number[] = [];
    for (const [at, { result }] of together.entries()) void result.then(() => order.push(at));
    expect((await Promise.all(together.map(({ result }) => result))).map(answerTokens)).toEqual(alone);
    expect(together.map(({ tokens }) => tokens)).toEqual(alone);
    // the shorter ones did not wait for the longer ones before them
    expect(order).toEqual([0, 3, 1, 2]);
  });

  it("computes chats of two models and a simulation at once", async () => {
    const other = await openModel((await tinyChatPackage({ maxT: 48 })).folder);
    const both = await WorkerEngine.open({ models: [chat, other, simulation] }, { log });
    try {
      const listener = { hint() {}, tokens() {} };
      const [small, large] = [{ ...configuration, maxT: 48 }, configuration];
      const orders = [chat, other].flatMap((model) =>
        [9, 30, 4].map((limit, seed) => ({
          model,
          request: llamaRequest(
            { prompt: PROMPT, limit, temperature: 0.8, minP: 0, seed: BigInt(seed) },
            model === chat ? large : small,
          ),
        })),
      );
      const order = callRequest(
        { seed: 9n, blocks: 2, rate: 0.03, volatility: 0.2, maturity: 1, strike: 1 },
        { maxT: simulation.context },
      );
      const simulated = both.run({ asset: simulation.asset, request: order }, listener).result;
      const together = await Promise.all(
        orders.map(({ model: { asset }, request }) => both.run({ asset, request }, listener).result),
      );
      for (const [at, { model, request }] of orders.entries())
        expect(await both.run({ asset: model.asset, request }, listener).result).toEqual(together[at]);
      for (const [at, { model }] of orders.entries())
        expect(await isTrue(model, together[at] as Completion)).toEqual({ equal: true });
      expect((await simulated).T).toBe(2);
    } finally {
      await both.close();
    }
  });

  it("computes nothing more of a simulation that was called off, and the next one", async () => {
    const order = (blocks: number) =>
      callRequest(
        { seed: 9n, blocks, rate: 0.03, volatility: 0.2, maturity: 1, strike: 1 },
        { maxT: simulation.context },
      );
    const listener = { hint() {}, tokens() {} };
    const endless = engine.run({ asset: simulation.asset, request: order(simulation.context) }, listener);
    const next = engine.run({ asset: simulation.asset, request: order(2) }, listener);
    setImmediate(() => endless.abort());
    await expect(endless.result).rejects.toMatchObject({ code: "request.cancelled" });
    expect((await next.result).T).toBe(2);
  });

  it("runs a simulation whole", async () => {
    const order = callRequest(
      { seed: 9n, blocks: 2, rate: 0.03, volatility: 0.2, maturity: 1, strike: 1 },
      { maxT: simulation.context },
    );
    const completion = await engine.run({ asset: simulation.asset, request: order }, { hint() {}, tokens() {} }).result;
    expect(completion.T).toBe(2);
    expect(await isTrue(simulation, completion)).toEqual({ equal: true });
  });

  it("fails what ran when its thread dies, and then serves again", async () => {
    const { result } = run({ limit: 60, onTokens: (count) => count === 2 && engine.kill() });
    await expect(result).rejects.toMatchObject({ code: "engine.failed" });
    expect(answerTokens(await run({ limit: 4 }).result)).toHaveLength(4);
  });

  it("gives the same answers with several threads to a model", async () => {
    const threaded = await WorkerEngine.open({ models: [chat, simulation], threads: 3 }, { log });
    try {
      const listener = { hint() {}, tokens() {} };
      const answer = await threaded.run({ asset: chat.asset, request: request(12) }, listener).result;
      expect(answer).toEqual(await run({ limit: 12 }).result);
      const order = callRequest(
        { seed: 9n, blocks: 3, rate: 0.03, volatility: 0.2, maturity: 1, strike: 1 },
        { maxT: simulation.context },
      );
      const results = [threaded, engine].map(
        (each) => each.run({ asset: simulation.asset, request: order }, listener).result,
      );
      const [several, one] = await Promise.all(results);
      expect(several).toEqual(one);
    } finally {
      await threaded.close();
    }
  });

  it("measures tokens a second, of models that have tokens", async () => {
    expect(await measureTokensPerSecond(engine, chat)).toBeGreaterThan(1);
    expect(await measureTokensPerSecond(engine, simulation)).toBe(0);
  });
});

describe("openModel", () => {
  it("reads what a request costs and refuses one with no true statement by its rule", () => {
    expect(chat.measure(request(10))).toEqual({ kind: "chat", promptTokens: 3, limit: 10 });
    const [prompt = new Uint8Array(), parameters = new Uint8Array()] = request(10);
    const tooLong = parameters.slice();
    new DataView(tooLong.buffer).setBigInt64(8, 62n, true);
    for (const wrong of [[prompt], [prompt, tooLong], [prompt.subarray(4), parameters]])
      expect(() => chat.measure(wrong)).toThrow(
        expect.objectContaining({ code: "request.invalid", details: expect.objectContaining({ fields: ["request"] }) }),
      );
  });
});
