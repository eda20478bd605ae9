import { parseReceipt, type ReceiptJson } from "@foldmark/protocol";
import OpenAI from "openai";
import { z } from "zod";
import { need, type Served, type Stage } from "./stage.ts";
import { CHAT_ALIAS } from "./steps/model.ts";

export type Asked = Served & { firstTokenMs: number; tokensPerSecond: number; price: bigint; receiptId: string };

const beside = z.looseObject({ receipt_id: z.string(), price: z.string(), receipt: z.looseObject({}) });

export type AskOptions = {
  maxTokens: number;
  headers?: Record<string, string>;
  onText?(piece: string): void | Promise<void>;
};

export function client(stage: Stage, fetch?: typeof globalThis.fetch): OpenAI {
  const { url, apiKey } = need(stage, "gateway");
  return new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0, ...(fetch && { fetch }) });
}

/** Asks through the ordinary client, streaming, and brings the whole receipt along. Greedy, so that a text can be expected. */
export async function ask(stage: Stage, question: string, { maxTokens, headers, onText }: AskOptions): Promise<Asked> {
  const body = {
    model: CHAT_ALIAS,
    messages: [{ role: "user" as const, content: question }],
    temperature: 0,
    seed: 7,
    max_completion_tokens: maxTokens,
    stream: true as const,
    stream_options: { include_usage: true },
  };
  // the order of providers hangs on the body's hash, so the bytes are kept as the client sent them
  let sent = "";
  const keeping: typeof fetch = (input, init) => {
    if (typeof init?.body === "string") sent = init.body;
    return fetch(input, init);
  };
  const start = performance.now();
  let first = 0;
  let text = "";
  let tokens = 0;
  let found: z.infer<typeof beside> | undefined;
  const stream = await client(stage, keeping).chat.completions.create(body, {
    headers: { "x-foldmark-receipt": "full", ...headers },
  });
  for await (const chunk of stream) {
    const piece = chunk.choices[0]?.delta?.content ?? "";
    if (piece !== "") {
      if (first === 0) first = performance.now();
      text += piece;
      await onText?.(piece);
    }
    if (chunk.usage) tokens = chunk.usage.completion_tokens;
    if ("x_foldmark" in chunk) found = beside.parse(chunk.x_foldmark);
  }
  const end = performance.now();
  if (!found) throw new Error("the answer came without a receipt");
  const json = found.receipt as unknown as ReceiptJson;
  const served: Served = { body: sent, text, receipt: parseReceipt(json), json };
  stage.answers.push(served);
  return {
    ...served,
    firstTokenMs: first - start,
    tokensPerSecond: (tokens - 1) / ((end - first) / 1000),
    price: BigInt(found.price),
    receiptId: found.receipt_id,
  };
}
