import { randomBytes } from "node:crypto";
import { FoldmarkError } from "@foldmark/protocol";
import type { ChatMessage, ServedChat } from "../models/servedModel.ts";
import type { ChatRequest } from "../schemas/chatRequest.ts";
import type { ChatJob } from "./chatJob.ts";

/** A chat that can be given to providers, and whose seed it has. */
export type PreparedChat = { job: ChatJob; seed: bigint; seedByGateway: boolean };

/**
 * Renders the prompt and writes the request tensors.
 * @throws `request.invalid`, `request.context_length`
 */
export async function prepareChat(body: ChatRequest, model: ServedChat): Promise<PreparedChat> {
  const wanted = limitOf(body);
  const prompt = await model.render(body.messages.map(plainMessage));
  const limit = wanted?.limit ?? model.maxT - prompt.length;
  if (prompt.length + Math.max(1, limit) > model.maxT)
    throw tooLong({ prompt: prompt.length, wanted, maxT: model.maxT });
  const seed = body.seed === undefined || body.seed === null ? randomSeed() : BigInt(body.seed);
  const request = model.request({ prompt, limit, seed, temperature: body.temperature ?? 1, minP: body.min_p ?? 0 });
  const stops = typeof body.stop === "string" ? [body.stop] : (body.stop ?? []);
  return { job: { model, prompt, limit, stops, request }, seed, seedByGateway: typeof body.seed !== "number" };
}

/** 64 bits that nobody chose. */
export const randomSeed = (): bigint => randomBytes(8).readBigInt64LE();

function limitOf({ max_tokens, max_completion_tokens }: ChatRequest) {
  if (
    typeof max_tokens === "number" &&
    typeof max_completion_tokens === "number" &&
    max_tokens !== max_completion_tokens
  )
    throw new FoldmarkError("request.invalid", "max_tokens and max_completion_tokens name two different limits.", {
      details: { param: "max_tokens" },
    });
  if (typeof max_completion_tokens === "number")
    return { limit: max_completion_tokens, param: "max_completion_tokens" };
  return typeof max_tokens === "number" ? { limit: max_tokens, param: "max_tokens" } : undefined;
}

function plainMessage({ role, content }: ChatRequest["messages"][number]): ChatMessage {
  return {
    role: role === "developer" ? "system" : role,
    content: typeof content === "string" ? content : content.map(({ text }) => text).join(""),
  };
}

function tooLong(of: {
  prompt: number;
  wanted: { limit: number; param: string } | undefined;
  maxT: number;
}): FoldmarkError {
  const { prompt, wanted, maxT } = of;
  const fits = prompt < maxT;
  const asked = wanted ? ` and ${wanted.limit} for the answer` : "";
  return new FoldmarkError(
    "request.context_length",
    `This model's maximum context length is ${maxT} tokens; the messages have ${prompt} tokens${fits ? asked : ""}.`,
    {
      details: { param: fits && wanted ? wanted.param : "messages", promptTokens: prompt, maxT },
      hint: fits ? "Lower the limit, or shorten the messages." : "Shorten the messages.",
    },
  );
}
