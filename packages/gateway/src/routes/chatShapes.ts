import type OpenAI from "openai";
import type { foldmarkFields } from "./foldmarkFields.ts";

type Completion = OpenAI.ChatCompletion;
type Chunk = OpenAI.ChatCompletionChunk;

/** What all objects of one completion have in common. */
export type CompletionHead = { id: string; created: number; model: string; system_fingerprint: string };

type Beside = { x_foldmark?: ReturnType<typeof foldmarkFields> };

export function usageOf({ promptTokens, answerTokens }: { promptTokens: number; answerTokens: number }) {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: answerTokens,
    total_tokens: promptTokens + answerTokens,
  } satisfies OpenAI.CompletionUsage;
}

export function completion(
  head: CompletionHead,
  of: { content: string; finishReason: "stop" | "length"; usage: OpenAI.CompletionUsage } & Required<Beside>,
) {
  const { content, finishReason, usage, x_foldmark } = of;
  return {
    ...head,
    object: "chat.completion",
    choices: [
      {
        index: 0,
        message: { role: "assistant", content, refusal: null },
        logprobs: null,
        finish_reason: finishReason,
      },
    ],
    usage,
    x_foldmark,
  } satisfies Completion & Beside;
}

/** A chunk with a piece of the answer. Where usage was asked for, every chunk but the last says that it has none. */
export function deltaChunk(
  head: CompletionHead,
  of: {
    delta: Chunk["choices"][number]["delta"];
    finishReason?: "stop" | "length";
    includesUsage: boolean;
  } & Beside,
) {
  const { delta, finishReason = null, includesUsage, x_foldmark } = of;
  return {
    ...head,
    object: "chat.completion.chunk",
    choices: [{ index: 0, delta, logprobs: null, finish_reason: finishReason }],
    ...(includesUsage && { usage: null }),
    ...(x_foldmark && { x_foldmark }),
  } satisfies Chunk & Beside;
}

/** The chunk behind the last delta, for clients that asked for it. */
export function usageChunk(head: CompletionHead, { usage, x_foldmark }: { usage: OpenAI.CompletionUsage } & Beside) {
  return {
    ...head,
    object: "chat.completion.chunk",
    choices: [],
    usage,
    ...(x_foldmark && { x_foldmark }),
  } satisfies Chunk & Beside;
}
