import { parseReceipt } from "@foldmark/protocol";
import { blackScholes } from "@foldmark/workloads";
import OpenAI from "openai";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openApiDocument } from "../src/index.ts";
import * as answers from "../src/schemas/answers.ts";
import { openWorld, PRICES, type World } from "./support/world.ts";

let world: World;
beforeAll(async () => {
  world = await openWorld({ settings: { bodyLimitBytes: 20_000, corsOrigins: "https://dapp.example" } });
}, 120_000);
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(() => world.reset());

type Init = { key?: string | null; headers?: Record<string, string>; method?: string };

async function call(path: string, body?: unknown, { key = world.keys.rich.key, headers = {}, method }: Init = {}) {
  const response = await fetch(`${world.gateway.url}${path}`, {
    method: method ?? (body === undefined ? "GET" : "POST"),
    headers: {
      ...(key !== null && { authorization: `Bearer ${key}` }),
      ...(body !== undefined && { "content-type": "application/json" }),
      ...headers,
    },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) };
}

const SECRET_WORDS = "the prisoner of zenda";
const chat = (over: object = {}) => ({
  model: "tiny-chat",
  messages: [{ role: "user", content: SECRET_WORDS }],
  max_tokens: 20,
  ...over,
});

describe("bad input to /v1/chat/completions", () => {
  it.each([
    { input: "invalid JSON", body: "{", status: 400, code: "request.invalid_json", param: null },
    { input: "a body that is no object", body: "[]", status: 400, code: "request.invalid", param: null },
    {
      input: "no messages",
      body: chat({ messages: undefined }),
      status: 400,
      code: "request.invalid",
      param: "messages",
    },
    { input: "no model", body: chat({ model: undefined }), status: 400, code: "request.invalid", param: "model" },
    { input: "empty messages", body: chat({ messages: [] }), status: 400, code: "request.invalid", param: "messages" },
    {
      input: "messages of a wrong type",
      body: chat({ messages: "hi" }),
      status: 400,
      code: "request.invalid",
      param: "messages",
    },
    {
      input: "an unknown role",
      body: chat({ messages: [{ role: "tool", content: "x" }] }),
      status: 400,
      code: "request.invalid",
      param: "messages[0].role",
    },
    {
      input: "content of a wrong type",
      body: chat({ messages: [{ role: "user", content: 5 }] }),
      status: 400,
      code: "request.invalid",
      param: "messages[0].content",
    },
    {
      input: "an image",
      body: chat({ messages: [{ role: "user", content: [{ type: "image_url", image_url: { url: "x" } }] }] }),
      status: 400,
      code: "request.unknown_parameter",
      param: "messages[0].content[0].image_url",
    },
    {
      input: "a name beside a message",
      body: chat({ messages: [{ role: "user", content: "x", name: "bob" }] }),
      status: 400,
      code: "request.unknown_parameter",
      param: "messages[0].name",
    },
    {
      input: "an unknown parameter",
      body: chat({ frobnicate: 1 }),
      status: 400,
      code: "unknown_parameter",
      param: "frobnicate",
    },
    {
      input: "an unknown model",
      body: chat({ model: "gpt-none" }),
      status: 404,
      code: "model_not_found",
      param: "model",
    },
    {
      input: "a model of another kind",
      body: chat({ model: "european-call" }),
      status: 400,
      code: "model.wrong_kind",
      param: "model",
    },
    {
      input: "a temperature of a wrong type",
      body: chat({ temperature: "hot" }),
      status: 400,
      code: "request.invalid",
      param: "temperature",
    },
    {
      input: "a temperature out of range",
      body: chat({ temperature: 3 }),
      status: 400,
      code: "request.invalid",
      param: "temperature",
    },
    { input: "n of 2", body: chat({ n: 2 }), status: 400, code: "unsupported_parameter", param: "n" },
    { input: "top_p", body: chat({ top_p: 0.5 }), status: 400, code: "unsupported_parameter", param: "top_p" },
    {
      input: "logprobs",
      body: chat({ logprobs: true }),
      status: 400,
      code: "unsupported_parameter",
      param: "logprobs",
    },
    {
      input: "tools",
      body: chat({ tools: [{ type: "function", function: { name: "f" } }] }),
      status: 400,
      code: "unsupported_parameter",
      param: "tools",
    },
    {
      input: "a JSON schema",
      body: chat({ response_format: { type: "json_object" } }),
      status: 400,
      code: "unsupported_parameter",
      param: "response_format",
    },
    {
      input: "a penalty",
      body: chat({ presence_penalty: 1 }),
      status: 400,
      code: "unsupported_parameter",
      param: "presence_penalty",
    },
    {
      input: "a seed above 2^53",
      body: `{"model":"tiny-chat","messages":[{"role":"user","content":"x"}],"seed":9007199254740993}`,
      status: 400,
      code: "request.invalid",
      param: "seed",
    },
    {
      input: "five stop strings",
      body: chat({ stop: ["a", "b", "c", "d", "e"] }),
      status: 400,
      code: "request.invalid",
      param: "stop",
    },
    { input: "an empty stop string", body: chat({ stop: "" }), status: 400, code: "request.invalid", param: "stop" },
    {
      input: "two different limits",
      body: chat({ max_completion_tokens: 3 }),
      status: 400,
      code: "request.invalid",
      param: "max_tokens",
    },
    { input: "a limit of 0", body: chat({ max_tokens: 0 }), status: 400, code: "request.invalid", param: "max_tokens" },
    {
      input: "a limit beyond the context",
      body: chat({ max_tokens: 500 }),
      status: 400,
      code: "context_length_exceeded",
      param: "max_tokens",
    },
    {
      input: "a prompt beyond the context",
      body: chat({ messages: [{ role: "user", content: "x ".repeat(300) }] }),
      status: 400,
      code: "context_length_exceeded",
      param: "messages",
    },
    {
      input: "stream_options without stream",
      body: chat({ stream_options: { include_usage: true } }),
      status: 400,
      code: "request.invalid",
      param: "stream_options",
    },
    {
      input: "a body over the limit",
      body: chat({ user: "x".repeat(30_000) }),
      status: 413,
      code: "request.too_large",
      param: null,
    },
  ])("refuses $input, touching no provider and charging nothing", async ({ body, status, code, param }) => {
    const before = await world.keyList();
    const answer = await call("/v1/chat/completions", body);
    const { error } = answers.errorAnswer.parse(answer.json());
    expect({ status: answer.status, code: error.code, param: error.param }).toEqual({
      status,
      code: code === "request.unknown_parameter" ? "unknown_parameter" : code,
      param,
    });
    expect(world.asked()).toEqual([]);
    expect(await world.keyList()).toEqual(before);
  });

  it("refuses another content type and a compressed body", async () => {
    const text = await call("/v1/chat/completions", JSON.stringify(chat()), {
      headers: { "content-type": "text/plain" },
    });
    expect([text.status, text.json().error.code]).toEqual([415, "request.content_type"]);
    const utf16 = await call("/v1/chat/completions", JSON.stringify(chat()), {
      headers: { "content-type": "application/json; charset=utf-16" },
    });
    expect([utf16.status, utf16.json().error.code]).toEqual([415, "request.content_type"]);
    const gzip = await call("/v1/chat/completions", JSON.stringify(chat()), {
      headers: { "content-encoding": "gzip" },
    });
    expect([gzip.status, gzip.json().error.code]).toEqual([415, "request.content_type"]);
  });

  it("takes every parameter at the value that changes nothing", async () => {
    const neutral = {
      n: 1,
      top_p: 1,
      frequency_penalty: 0,
      presence_penalty: 0,
      logprobs: false,
      top_logprobs: null,
      logit_bias: {},
      tools: [],
      tool_choice: "auto",
      functions: [],
      response_format: { type: "text" },
      modalities: ["text"],
      service_tier: "auto",
      audio: null,
      prediction: null,
      reasoning_effort: null,
      store: false,
      metadata: { a: "b" },
      user: "someone",
      parallel_tool_calls: true,
      safety_identifier: "x",
      prompt_cache_key: "y",
      stop: null,
      stream_options: null,
      verbosity: "medium",
    };
    expect((await call("/v1/chat/completions", chat(neutral))).status).toBe(200);
  });
});

describe("keys", () => {
  it.each([
    { who: "no key", key: null, status: 401 },
    { who: "an unknown key", key: "sk-nobody", status: 401 },
  ])("answers 401 to $who", async ({ key, status }) => {
    const answer = await call("/v1/chat/completions", chat(), { key });
    expect([answer.status, answer.json().error.code]).toEqual([status, "invalid_api_key"]);
    expect(world.asked()).toEqual([]);
  });

  it("answers 402 when the budget does not cover the most that a request can cost", async () => {
    const answer = await call("/v1/chat/completions", chat(), { key: world.keys.poor.key });
    expect([answer.status, answer.json().error.code]).toEqual([402, "insufficient_balance"]);
    expect(answer.headers.get("x-should-retry")).toBe("false");
    expect(world.asked()).toEqual([]);
  });

  it("charges what the answer costs, not what was set aside", async () => {
    const spent = async () => (await world.keyList()).keys.find(({ name }) => name === "rich");
    const before = await spent();
    const answer = await call("/v1/chat/completions", chat({ max_tokens: 60 }));
    const { usage, x_foldmark } = answers.chatCompletion.parse(answer.json());
    const cost =
      (BigInt(usage.prompt_tokens) * PRICES.priceIn + BigInt(usage.completion_tokens) * PRICES.priceOut + 999_999n) /
      1_000_000n;
    expect(x_foldmark.price).toBe(cost.toString());
    const after = await spent();
    expect(after?.reserved).toBe("0");
    expect(Math.round((Number(after?.spent) - Number(before?.spent)) * 1e6)).toBe(Number(cost));
  });

  it("refuses when the caller's price cap is below every offer, and takes one above", async () => {
    const low = await call("/v1/chat/completions", chat(), {
      headers: { "x-foldmark-max-price": "in=100000, out=399999" },
    });
    expect([low.status, low.json().error.code]).toEqual([402, "price.above_cap"]);
    const nonsense = await call("/v1/chat/completions", chat(), { headers: { "x-foldmark-max-price": "cheap" } });
    expect([nonsense.status, nonsense.json().error.param]).toEqual([400, "x-foldmark-max-price"]);
    expect((await call("/v1/chat/completions", chat(), { headers: { "x-foldmark-max-price": "400000" } })).status).toBe(
      200,
    );
  });
});

describe("POST /v1/simulations", () => {
  const parameters = { rate: 0.05, volatility: 0.2, maturity: 1, strike: 100, spot: 100 };
  it("prices an option, with its receipt", async () => {
    const answer = await call("/v1/simulations", { model: "european-call", parameters, paths: 262_144, seed: 7 });
    expect(answer.text).toContain("simulation");
    const body = answers.simulation.parse(answer.json());
    expect(body).toMatchObject({ price: 10.45, standard_error: 0.015, usage: { steps: 256 }, paths: 262_144 });
    expect(
      Math.abs(body.price - blackScholes({ rate: 0.05, volatility: 0.2, maturity: 1, strike: 1 }) * 100),
    ).toBeLessThan(0.05);
    expect(body.x_foldmark.price).toBe(((256n * PRICES.priceUnit) / 1_000_000n).toString());
    const receipt = parseReceipt((await call(body.x_foldmark.receipt_url)).json());
    expect(receipt).toMatchObject({
      kind: "simulation",
      usage: { promptTokens: 0, answerTokens: 0 },
      preimage: { T: 256 },
    });
  });

  it("is replaced like a chat", async () => {
    world.script({ stallsAfter: -1 });
    const answer = await call("/v1/simulations", { model: "european-call", parameters });
    expect(answers.simulation.parse(answer.json()).x_foldmark.skipped).toMatchObject([{ reason: "stalled" }]);
  });

  it.each([
    {
      input: "a volatility out of range",
      over: { parameters: { ...parameters, volatility: 3 } },
      param: "parameters.volatility",
    },
    {
      input: "a missing strike",
      over: { parameters: { ...parameters, strike: undefined } },
      param: "parameters.strike",
    },
    { input: "a strike of 0", over: { parameters: { ...parameters, strike: 0 } }, param: "parameters.strike" },
    { input: "paths that are no whole blocks", over: { paths: 1_000 }, param: "paths" },
    { input: "too many paths", over: { paths: 2 ** 28 }, param: "paths" },
    {
      input: "an unknown parameter",
      over: { parameters: { ...parameters, dividend: 0 } },
      param: "parameters.dividend",
    },
  ])("refuses $input by name", async ({ over, param }) => {
    const answer = await call("/v1/simulations", { model: "european-call", parameters, ...over });
    expect([answer.status, answers.errorAnswer.parse(answer.json()).error.param]).toEqual([400, param]);
    expect(world.asked()).toEqual([]);
  });
});

describe("what is open to everybody", () => {
  it("lists the models as the official client reads them", async () => {
    const client = new OpenAI({ apiKey: "sk-none", baseURL: `${world.gateway.url}/v1` });
    const list = await client.models.list();
    expect(list.data.map(({ id }) => id).sort()).toEqual(["european-call", "tiny-chat"]);
    answers.modelList.parse((await call("/v1/models", undefined, { key: null })).json());
    const one = await client.models.retrieve(world.chat.assetId);
    expect(answers.model.parse(one).x_foldmark).toMatchObject({
      kind: "chat",
      context: 128,
      asset: world.chat.assetId,
    });
    expect((await call("/v1/models/none")).json().error).toMatchObject({ code: "model_not_found", param: "model" });
  });

  it("publishes what was done, in sums", async () => {
    await call("/v1/chat/completions", chat());
    await call("/v1/chat/completions", chat({ n: 5 }));
    const report = answers.transparency.parse((await call("/v1/transparency", undefined, { key: null })).json());
    expect(report.requests).toBeGreaterThan(0);
    expect(report.refusals.unsupported_parameter).toBeGreaterThan(0);
    expect(report.work.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1);
    expect(BigInt(report.paid)).toBe(report.work.reduce((sum, { paid }) => sum + BigInt(paid), 0n));
  });

  it("says how it is", async () => {
    // the clock has just been moved by hours: the chain has to be read again first
    await expect.poll(async () => (await call("/health", undefined, { key: null })).status).toBe(200);
    answers.health.parse((await call("/health", undefined, { key: null })).json());
    const metrics = await call("/metrics", undefined, { key: null });
    expect(metrics.text).toMatch(
      /foldmark_gateway_request_seconds_count\{method="POST",route="\/v1\/chat\/completions",status="200"\}/,
    );
  });

  it("describes itself, and shows the description without another host", async () => {
    const served = (await call("/openapi.json", undefined, { key: null })).json();
    expect(served).toEqual(JSON.parse(JSON.stringify(openApiDocument())));
    expect(served.openapi).toBe("3.1.0");
    expect(Object.keys(served.paths)).toContain("/v1/chat/completions");
    const page = await call("/docs/", undefined, { key: null });
    expect(page.status).toBe(200);
    expect(page.text).not.toMatch(/https?:\/\//);
    expect(page.headers.get("content-security-policy")).toContain("script-src 'self'");
    expect((await call("/docs/swagger-initializer.js")).text).toContain("/openapi.json");
    expect((await call("/docs/swagger-ui-bundle.js")).status).toBe(200);
  });

  it.each([
    { method: "PUT", path: "/v1/chat/completions", allow: "POST" },
    { method: "POST", path: "/v1/models", allow: "GET" },
    { method: "DELETE", path: "/v1/receipts/0x1", allow: "GET" },
  ])("says which methods $path takes", async ({ method, path, allow }) => {
    const answer = await call(path, undefined, { method });
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, allow]);
    expect(answers.errorAnswer.parse(answer.json()).error.code).toBe("request.method_not_allowed");
  });

  it("answers to unknown paths and to browsers of allowed pages", async () => {
    expect((await call("/v1/nothing")).json().error.code).toBe("request.not_found");
    const preflight = (origin: string) =>
      call("/v1/chat/completions", undefined, {
        method: "OPTIONS",
        headers: {
          origin,
          "access-control-request-method": "POST",
          "access-control-request-headers": "x-stainless-os",
        },
      });
    const allowed = await preflight("https://dapp.example");
    expect(allowed.headers.get("access-control-allow-origin")).toBe("https://dapp.example");
    expect(allowed.headers.get("access-control-allow-headers")).toBe("x-stainless-os");
    expect((await preflight("https://other.example")).headers.get("access-control-allow-origin")).toBeNull();
  });
});

describe("receipts", () => {
  it("are given to their own account only", async () => {
    const { x_foldmark } = (await call("/v1/chat/completions", chat())).json();
    expect((await call(x_foldmark.receipt_url)).status).toBe(200);
    const other = await call(x_foldmark.receipt_url, undefined, { key: world.keys.other.key });
    expect([other.status, other.json().error.code]).toEqual([404, "receipt.unknown"]);
    expect((await call(x_foldmark.receipt_url, undefined, { key: null })).status).toBe(401);
  });
});

describe("Idempotency-Key", () => {
  const send = (idempotencyKey: string, over: object = {}, key = world.keys.rich.key) =>
    call("/v1/chat/completions", chat(over), { key, headers: { "idempotency-key": idempotencyKey } });

  it.each([
    { behaviour: "a whole answer", over: {} },
    { behaviour: "a stream", over: { stream: true } },
  ])("gives $behaviour again without buying another one", async ({ behaviour, over }) => {
    const first = await send(behaviour.replaceAll(" ", "-"), over);
    expect(first.status).toBe(200);
    let again = first;
    await expect
      .poll(async () => {
        again = await send(behaviour.replaceAll(" ", "-"), over);
        return again.headers.get("x-idempotent-replay");
      })
      .toBe("true");
    expect([again.text, again.headers.get("content-type")]).toEqual([first.text, first.headers.get("content-type")]);
    expect(world.asked()).toHaveLength(1);
  });

  it("refuses another body under the same key, but not another account's", async () => {
    await send("one-key");
    const other = await send("one-key", { max_tokens: 5 });
    expect([other.status, other.json().error.code]).toEqual([409, "request.idempotency_conflict"]);
    expect((await send("one-key", { max_tokens: 5 }, world.keys.other.key)).status).toBe(200);
  });

  it("refuses a second request while the first is running, and takes it after the first has failed", async () => {
    world.script({ stallsAfter: 2 }, { stallsAfter: 2 }, { stallsAfter: 2 });
    const first = send("slow");
    await expect.poll(() => world.asked().length).toBeGreaterThan(0);
    expect((await send("slow")).json().error.code).toBe("request.idempotency_conflict");
    expect((await first).status).toBe(503);
    world.reset();
    await expect.poll(async () => (await send("slow")).status).toBe(200);
  });
});

describe("logs", () => {
  it("hold no prompt, no answer and no key", async () => {
    await call("/v1/chat/completions", chat());
    await call("/v1/chat/completions", chat({ model: SECRET_WORDS }));
    const log = world.log.join("");
    expect(log).toContain('"msg":"request"');
    for (const secret of [SECRET_WORDS, "zenda", "quick brown", ...Object.values(world.keys).map(({ key }) => key)])
      expect(log).not.toContain(secret);
    expect(log).not.toContain(Buffer.from(world.account.address.slice(2), "hex").toString("base64"));
  });
});
