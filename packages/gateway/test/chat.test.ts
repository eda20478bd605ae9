import {
  baseUnits,
  checkRouting,
  domainOf,
  parseAmount,
  parseReceipt,
  recoverReceipt,
  signVoucher,
} from "@foldmark/protocol";
import { tokensOf } from "@foldmark/workloads";
import fc from "fast-check";
import OpenAI from "openai";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { chatCompletion, chatCompletionChunk } from "../src/schemas/answers.ts";
import type { Behaviour } from "./support/scriptedProvider.ts";
import { openWorld, type World } from "./support/world.ts";

let world: World;
let client: OpenAI;
beforeAll(async () => {
  world = await openWorld();
  client = new OpenAI({ apiKey: world.keys.rich.key, baseURL: `${world.gateway.url}/v1`, maxRetries: 0 });
}, 120_000);
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(() => {
  world.reset();
  world.setAnswer("the quick brown fox jumps over the lazy dog");
});

const TEXT = "the quick brown fox jumps over the lazy dog";
const MESSAGES = [{ role: "user" as const, content: "the house" }];
type Params = Partial<OpenAI.ChatCompletionCreateParamsNonStreaming>;
const paramsOf = (over: Params = {}) => ({ model: "tiny-chat", messages: MESSAGES, seed: 1, temperature: 0, ...over });
const ask = (over: Params = {}) => client.chat.completions.create(paramsOf(over));

type Foldmark = {
  receipt_id: string;
  provider: string;
  price: string;
  cut?: { by: string; tokens: number; stop?: string };
  skipped: { provider: string; reason: string; tokens: number }[];
};
const foldmarkOf = (answer: unknown) => (answer as { x_foldmark: Foldmark }).x_foldmark;

/** A stream to its end: its text, and what stood on its last chunk. */
async function streamed(over: Params = {}, { onText = (_text: string) => {} } = {}) {
  const stream = await client.chat.completions.create({ ...paramsOf(over), stream: true });
  let text = "";
  let last: OpenAI.ChatCompletionChunk | undefined;
  for await (const chunk of stream) {
    last = chunk;
    text += chunk.choices[0]?.delta.content ?? "";
    onText(text);
  }
  return { text, finishReason: last?.choices[0]?.finish_reason, ...foldmarkOf(last) };
}

async function receiptOf(id: string, key = world.keys.rich.key) {
  const response = await fetch(`${world.gateway.url}/v1/receipts/${id}`, {
    headers: { authorization: `Bearer ${key}` },
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}
const parsedReceipt = async (id: string) => parseReceipt((await receiptOf(id)).body);
const errorOf = (work: Promise<unknown>): Promise<InstanceType<typeof OpenAI.APIError>> =>
  work.then(
    () => Promise.reject(new Error("no error")),
    (error: unknown) => {
      if (error instanceof OpenAI.APIError) return error;
      throw error;
    },
  );

describe("POST /v1/chat/completions", () => {
  it("gives the official client an answer with its receipt", async () => {
    const answer = await ask();
    expect(chatCompletion.parse(answer).choices[0].message.content).toBe("the quick brown fox jumps over the lazy dog");
    expect(answer.choices[0]?.finish_reason).toBe("stop");
    const { receipt_id, provider, price } = foldmarkOf(answer);
    const { body } = await receiptOf(receipt_id);
    const receipt = parseReceipt(body);
    expect(await recoverReceipt(receipt)).toBe(world.gateway.address);
    expect(checkRouting(receipt)).toEqual({ status: "ok", rank: 0 });
    expect(receipt.answer.payee).toBe(provider);
    expect(receipt.price.toString()).toBe(price);
    expect(receipt.usage).toEqual({
      promptTokens: answer.usage?.prompt_tokens,
      answerTokens: answer.usage?.completion_tokens,
    });
    expect(world.byAddress(provider).charged()).toBeGreaterThanOrEqual(BigInt(price));
  });

  it("streams the same answer in chunks that end with the receipt", async () => {
    const stream = await client.chat.completions.create({
      model: "tiny-chat",
      messages: MESSAGES,
      seed: 1,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chatCompletionChunk.parse(chunk));
    const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
    expect(text).toBe("the quick brown fox jumps over the lazy dog");
    expect(chunks.length).toBeGreaterThan(5);
    const last = chunks.at(-1);
    expect(last?.choices).toEqual([]);
    expect(last?.usage?.total_tokens).toBeGreaterThan(0);
    expect(chunks.slice(0, -1).every(({ usage, x_foldmark }) => usage === null && x_foldmark === undefined)).toBe(true);
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe("stop");
    expect((await receiptOf(last?.x_foldmark?.receipt_id ?? "")).status).toBe(200);
    expect((await receiptOf(last?.id ?? "")).status).toBe(200);
  });

  it("gives the same answer for content in parts, and a receipt inside the answer on demand", async () => {
    const answer = await client.chat.completions.create(
      { model: "tiny-chat", messages: [{ role: "user", content: [{ type: "text", text: "the house" }] }], seed: 1 },
      { headers: { "x-foldmark-receipt": "full" } },
    );
    const receipt = parseReceipt((foldmarkOf(answer) as unknown as { receipt: unknown }).receipt);
    expect(receipt.seedByGateway).toBe(false);
    expect(receipt.model.alias?.name).toBe("tiny-chat");
  });

  it("ends at the limit, and says so", async () => {
    const answer = await ask({ max_completion_tokens: 3 });
    expect(answer.choices[0]?.finish_reason).toBe("length");
    expect(answer.usage?.completion_tokens).toBe(3);
    expect((await parsedReceipt(foldmarkOf(answer).receipt_id)).cut).toBeUndefined();
  });

  it("cuts at a stop string, and shows nothing of it", async () => {
    const until = world.tokenizer
      .encode(TEXT)
      .findIndex((_, i, all) => world.tokenizer.decode(all.slice(0, i + 1)).includes("jumps"));
    world.script({ stallsAfter: until + 1 });
    const { text, finishReason, receipt_id } = await streamed({ stop: ["xyz", "jumps"] });
    expect(text).toBe("the quick brown fox ");
    expect(finishReason).toBe("stop");
    const { cut, usage, request } = await parsedReceipt(receipt_id);
    expect(cut).toEqual({ by: "stop", tokens: usage.answerTokens, stop: "jumps" });
    // n tokens hold the stop string, n - 1 do not
    const tokens = world.tokenizer.encode(TEXT);
    expect(world.tokenizer.decode(tokens.slice(0, usage.answerTokens))).toContain("jumps");
    expect(world.tokenizer.decode(tokens.slice(0, usage.answerTokens - 1))).not.toContain("jumps");
    expect(new DataView(request[1]?.buffer ?? new ArrayBuffer(0), request[1]?.byteOffset).getBigInt64(8, true)).toBe(
      BigInt(usage.answerTokens),
    );
  });

  it("takes no cut where the stop string ends the answer anyway", async () => {
    const answer = await ask({ stop: "dog" });
    expect(answer.choices[0]?.message.content).toBe("the quick brown fox jumps over the lazy ");
    expect(answer.choices[0]?.finish_reason).toBe("stop");
  });

  it("draws a seed where the client sends none, and says so", async () => {
    const answer = await client.chat.completions.create({ model: "tiny-chat", messages: MESSAGES });
    expect(foldmarkOf(answer)).toMatchObject({ seed_by_gateway: true });
    expect((await parsedReceipt(foldmarkOf(answer).receipt_id)).seedByGateway).toBe(true);
  });

  it("answers many at once, each with a voucher of its own", async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, (_, seed) => ask({ seed })));
    expect(answers.map((answer) => answer.choices[0]?.message.content)).toEqual(Array.from({ length: 8 }, () => TEXT));
    const ceilings = new Set(
      world.providers.flatMap(({ address, asked }) => asked.map(({ ceiling }) => `${address} ${ceiling}`)),
    );
    expect(ceilings.size).toBe(8);
  });
});

describe("failover", () => {
  it.each([
    { behaviour: "refuses because it is busy", script: { refuse: { status: 429, code: "node.busy" } }, reason: "busy" },
    { behaviour: "is draining", script: { refuse: { status: 503, code: "node.draining" } }, reason: "not_serving" },
    {
      behaviour: "does not serve the model",
      script: { refuse: { status: 404, code: "model.unknown" } },
      reason: "not_serving",
    },
    {
      behaviour: "calls the channel exhausted",
      script: { refuse: { status: 402, code: "voucher.too_low" } },
      reason: "no_funds",
    },
    { behaviour: "never sends headers", script: { stallsAfter: -1 }, reason: "stalled" },
    { behaviour: "never sends a token", script: { stallsAfter: 0 }, reason: "stalled" },
    { behaviour: "sends comments for ever", script: { babbles: true }, reason: "stalled" },
    { behaviour: "sends garbage", script: { garbage: "event: tokens\ndata: {not json\n\n" }, reason: "failed" },
    { behaviour: "sends an unknown event", script: { garbage: "event: surprise\ndata: {}\n\n" }, reason: "failed" },
    { behaviour: "sends a token that does not exist", script: { lies: { 0: 1_000_000 } }, reason: "failed" },
    { behaviour: "closes the connection", script: { diesAfter: 0 }, reason: "unreachable" },
    { behaviour: "fails by itself", script: { errorAfter: 0 }, reason: "failed" },
  ])("replaces a provider that $behaviour before its first token", async ({ script, reason }) => {
    world.script(script);
    const answer = await ask();
    expect(answer.choices[0]?.message.content).toBe(TEXT);
    const { skipped, receipt_id, provider } = foldmarkOf(answer);
    expect(skipped).toEqual([{ provider: expect.any(String), reason, tokens: 0 }]);
    expect(skipped[0]?.provider).not.toBe(provider);
    expect(checkRouting(await parsedReceipt(receipt_id))).toEqual({ status: "ok", rank: 1 });
  });

  it.each([
    { behaviour: "dies", script: { diesAfter: 4 }, reason: "unreachable", tokens: 4 },
    { behaviour: "stalls", script: { stallsAfter: 4 }, reason: "stalled", tokens: 4 },
    { behaviour: "fails", script: { errorAfter: 4 }, reason: "failed", tokens: 4 },
  ])(
    "goes on from the last token when a provider $behaviour in the middle of a stream",
    async ({ script, reason, tokens }) => {
      world.script(script);
      const { text, finishReason, skipped, receipt_id } = await streamed();
      expect(text).toBe(TEXT);
      expect(finishReason).toBe("stop");
      expect(skipped).toEqual([{ provider: expect.any(String), reason, tokens }]);
      expect(
        world
          .asked()
          .map(({ hint }) => hint.length)
          .sort(),
      ).toEqual([0, tokens]);
      expect(checkRouting(await parsedReceipt(receipt_id)).status).toBe("ok");
    },
  );

  it.each([
    { behaviour: "never stops", script: { endless: true }, reason: "failed" },
    { behaviour: "ends without an answer", script: { signsNothing: true }, reason: "unreachable" },
  ])("has the whole text signed by another one when a provider $behaviour", async ({ script, reason }) => {
    const whole = world.setAnswer(TEXT);
    world.script(script);
    const { text, skipped } = await streamed();
    expect(text).toBe(TEXT);
    expect(skipped).toMatchObject([{ reason }]);
    expect(world.asked().find(({ hint }) => hint.length > 0)?.hint).toEqual(whole);
  });

  it("ends a stream with an error where a second provider contradicts what was shown, and charges nothing", async () => {
    world.script({ diesAfter: 5, lies: { 3: 9 } });
    const before = await spentOf("rich");
    const error = await errorOf(streamed());
    expect(error).toMatchObject({ code: "provider_mismatch", error: { position: 3 } });
    expect(await spentOf("rich")).toBe(before);
    // the second is cut where the two part; a third one is asked who was right
    await expect.poll(() => world.cuts(), { timeout: 5_000 }).toEqual([3, 3]);
    expect(
      world
        .asked()
        .map(({ hint }) => hint.length)
        .sort(),
    ).toEqual([0, 5, 5]);
    await expect
      .poll(async () => (await transparency()).failures_by_provider, { timeout: 5_000 })
      .toEqual(expect.objectContaining({ [liar()]: expect.any(Number) }));
  });

  it("takes the second provider's answer where nothing was shown yet", async () => {
    world.script({ diesAfter: 5, lies: { 3: 9 } });
    const answer = await ask();
    expect(answer.choices[0]?.message.content).toBe(TEXT);
  });

  it("answers 503 with each provider's reason when all of them fail, and charges nothing", async () => {
    const before = await spentOf("rich");
    world.script({ stallsAfter: 0 }, { garbage: "nonsense\n\n" }, { refuse: { status: 429, code: "node.busy" } });
    const error = await errorOf(ask());
    expect(error.status).toBe(503);
    const { providers } = error.error as { providers: { provider: string; reason: string }[] };
    expect(providers.map(({ reason }) => reason).sort()).toEqual(["busy", "failed", "stalled"]);
    expect(new Set(providers.map(({ provider }) => provider)).size).toBe(3);
    expect(await spentOf("rich")).toBe(before);
  });

  it("adopts the state that a provider knows, if its own signature is under it", async () => {
    const domain = domainOf(world.deployment);
    world.script({
      async knows(channelId) {
        const maxClaimableAmount = baseUnits(10n ** 7n);
        const signature = await signVoucher(world.account, domain, { channelId, maxClaimableAmount });
        return { maxClaimableAmount, signature, charged: baseUnits(10n ** 6n) };
      },
    });
    const answer = await ask();
    expect(answer.choices[0]?.message.content).toBe(TEXT);
    expect(foldmarkOf(answer).skipped).toEqual([]);
    expect(world.asked().at(-1)?.ceiling).toBeGreaterThan(10n ** 7n);
  });
});

describe("whatever providers do", () => {
  const anyCount = fc.integer({ min: 0, max: 14 });
  const anyBehaviour: fc.Arbitrary<Behaviour> = fc.oneof(
    fc.constant({}),
    anyCount.map((diesAfter) => ({ diesAfter })),
    anyCount.map((errorAfter) => ({ errorAfter })),
    fc.tuple(anyCount, anyCount).map(([at, diesAfter]) => ({ lies: { [at]: 9 }, diesAfter })),
    fc.constant({ endless: true }),
    fc.constant({ signsNothing: true }),
    fc.constant({ garbage: "event: tokens\ndata: [1]\n\n" }),
    fc.constant({ refuse: { status: 503, code: "node.draining" } }),
    fc.constant({ untilTooEarly: 1_000n }),
  );

  it("a stream is the true text, or ends with an error and costs nothing", async () => {
    const outcomes = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.array(anyBehaviour, { minLength: 1, maxLength: 3 }), async (behaviours) => {
        world.reset();
        world.setAnswer(TEXT);
        world.script(...behaviours);
        const before = await spentOf("rich");
        let shown = "";
        const ended = await streamed({}, { onText: (text) => (shown = text) }).catch((error: unknown) => error);
        if (ended instanceof Error) {
          expect(ended).toBeInstanceOf(OpenAI.APIError);
          outcomes.add(String((ended as { code?: string }).code));
          await expect.poll(() => spentOf("rich")).toBe(before);
        } else {
          outcomes.add("answered");
          const { text, receipt_id, price } = ended as Awaited<ReturnType<typeof streamed>>;
          const receipt = await parsedReceipt(receipt_id);
          // what is shown is what was signed, whoever signed it: a lie that nobody else has seen is found by the check
          const tokens = tokensOf(receipt.claimed[0] ?? new Uint8Array()).slice(receipt.usage.promptTokens);
          expect(text).toBe(world.tokenizer.decode(tokens));
          expect(checkRouting(receipt).status).toBe("ok");
          expect(await spentOf("rich")).toBe(before + BigInt(price));
        }
        expect(shown.length).toBeLessThanOrEqual(TEXT.length + 8);
      }),
      { seed: 11, numRuns: 25 },
    );
    expect(outcomes.has("answered")).toBe(true);
    expect(outcomes.size).toBeGreaterThan(1);
  });
});

describe("a caller that leaves", () => {
  it("has its answer cut at the tokens delivered, and pays for them", async () => {
    const before = await spentOf("other");
    const abort = new AbortController();
    world.script({ stallsAfter: 4 });
    const response = await fetch(`${world.gateway.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${world.keys.other.key}`, "content-type": "application/json" },
      body: JSON.stringify({ ...paramsOf(), stream: true }),
      signal: abort.signal,
    });
    let text = "";
    const decoder = new TextDecoder();
    await (async () => {
      for await (const chunk of response.body ?? []) {
        text += decoder.decode(chunk as Uint8Array, { stream: true });
        if (text.split('"content"').length > 5) abort.abort();
      }
    })().catch((error: Error) => expect(error.name).toBe("AbortError"));
    await expect.poll(() => world.cuts(), { timeout: 5_000 }).toEqual([4]);
    const id = /chatcmpl-[0-9a-f]+/.exec(text)?.[0] ?? "";
    await expect.poll(async () => (await receiptOf(id, world.keys.other.key)).status, { timeout: 5_000 }).toBe(200);
    const receipt = parseReceipt((await receiptOf(id, world.keys.other.key)).body);
    expect(receipt.cut).toEqual({ by: "client", tokens: 4 });
    expect(await spentOf("other")).toBe(before + receipt.price);
  });
});

// comes last: the script's provider insists on that voucher for ever
describe("a provider with a forged voucher", () => {
  it("replaces a provider that shows a voucher which the gateway never signed", async () => {
    const stranger = { maxClaimableAmount: baseUnits(10n ** 9n), signature: `0x${"11".repeat(64)}1b` as const };
    world.script({ knows: async () => ({ ...stranger, charged: baseUnits(5n) }) });
    const answer = await ask();
    expect(answer.choices[0]?.message.content).toBe(TEXT);
    expect(foldmarkOf(answer).skipped).toMatchObject([{ reason: "no_funds" }]);
  });
});

/** What a key has spent, once nothing is set aside for it any more. */
async function spentOf(name: keyof World["keys"]): Promise<bigint> {
  const found = async () => (await world.keyList()).keys.find(({ id }) => id === world.keys[name].id);
  await expect.poll(async () => (await found())?.reserved).toBe("0");
  return parseAmount((await found())?.spent ?? "");
}
async function transparency() {
  return (await (await fetch(`${world.gateway.url}/v1/transparency`)).json()) as {
    failures_by_provider: Record<string, number>;
  };
}
const liar = () => world.providers.find(({ asked }) => asked[0]?.hint.length === 0)?.address ?? "";
