import { checkRouting, parseReceipt, recoverReceipt } from "@foldmark/protocol";
import OpenAI from "openai";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { chatCompletion, chatCompletionChunk } from "../src/schemas/answers.ts";
import { openWorld, type World } from "./support/world.ts";

let world: World;
let client: OpenAI;
beforeAll(async () => {
  world = await openWorld();
  client = new OpenAI({ apiKey: world.keys.rich.key, baseURL: `${world.gateway.url}/v1`, maxRetries: 0 });
}, 120_000);
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(() => {
  for (const provider of world.providers) provider.reset();
  world.setAnswer("the quick brown fox jumps over the lazy dog");
});

const MESSAGES = [{ role: "user" as const, content: "the house" }];
const ask = (over: Partial<OpenAI.ChatCompletionCreateParamsNonStreaming> = {}) =>
  client.chat.completions.create({ model: "tiny-chat", messages: MESSAGES, seed: 1, temperature: 0, ...over });

type Foldmark = { receipt_id: string; provider: string; price: string; cut?: object; skipped: { reason: string }[] };
const foldmarkOf = (answer: unknown) => (answer as { x_foldmark: Foldmark }).x_foldmark;

async function receiptOf(id: string, key = world.keys.rich.key) {
  const response = await fetch(`${world.gateway.url}/v1/receipts/${id}`, {
    headers: { authorization: `Bearer ${key}` },
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

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
});
