import { z } from "zod";

const text = z.string().max(4_000_000);
const textPart = z.strictObject({ type: z.literal("text"), text });
const content = z.union([text, z.array(textPart).min(1)]);

const spoken = (role: "system" | "developer" | "user") => z.strictObject({ role: z.literal(role), content });

/** Fields that the OpenAI client copies from an answer into the next request; each has only its empty value here. */
const assistant = z.strictObject({
  role: z.literal("assistant"),
  content,
  refusal: z.null().optional(),
  annotations: z.array(z.never()).max(0).optional(),
  audio: z.null().optional(),
  function_call: z.null().optional(),
  tool_calls: z.array(z.never()).max(0).nullish(),
});

const message = z
  .discriminatedUnion("role", [spoken("system"), spoken("developer"), spoken("user"), assistant])
  .meta({ id: "ChatMessage" });

/** No half of a surrogate pair: it would cut a character of the answer in two. */
const stopString = z
  .string()
  .min(1)
  .max(256)
  .refine((text) => text.isWellFormed(), "it must not hold half of a character");

/**
 * Parameters of OpenAI's API that this service knows by name and takes at the value that changes nothing. A schema that
 * parses another value than such a one would promise what nobody computes.
 */
export const NEUTRAL = {
  audio: z.null().optional(),
  frequency_penalty: z.literal(0).nullish(),
  function_call: z.enum(["none", "auto"]).optional(),
  functions: z.array(z.never()).max(0).optional(),
  logit_bias: z.strictObject({}).nullish(),
  logprobs: z.literal(false).nullish(),
  modalities: z.tuple([z.literal("text")]).nullish(),
  moderation: z.null().optional(),
  n: z.literal(1).nullish(),
  prediction: z.null().optional(),
  presence_penalty: z.literal(0).nullish(),
  reasoning_effort: z.literal("none").nullish(),
  response_format: z.strictObject({ type: z.literal("text") }).optional(),
  service_tier: z.enum(["auto", "default"]).nullish(),
  tool_choice: z.enum(["none", "auto"]).optional(),
  tools: z.array(z.never()).max(0).optional(),
  top_logprobs: z.literal(0).nullish(),
  top_p: z.literal(1).nullish(),
  verbosity: z.literal("medium").nullish(),
  web_search_options: z.null().optional(),
};

/** Parameters that never change an answer, here or elsewhere. */
const WITHOUT_EFFECT = {
  metadata: z.record(z.string().max(64), z.string().max(512)).nullish(),
  parallel_tool_calls: z.boolean().optional(),
  prompt_cache_key: z.string().max(1024).nullish(),
  prompt_cache_retention: z.string().max(64).nullish(),
  safety_identifier: z.string().max(1024).nullish(),
  store: z.boolean().nullish(),
  user: z.string().max(1024).optional(),
};

const limit = z.int().min(1).max(16_777_216).nullish();

/** The body of `POST /v1/chat/completions`. Whatever is not named here is refused by name. */
export const chatRequest = z
  .strictObject({
    model: z.string().min(1).max(256).meta({ description: "An alias or an asset id of GET /v1/models." }),
    messages: z.array(message).min(1).max(4096),
    stream: z.boolean().nullish(),
    stream_options: z
      .strictObject({ include_usage: z.boolean().optional(), include_obfuscation: z.literal(false).optional() })
      .nullish(),
    max_completion_tokens: limit.meta({ description: "Answer tokens at most, the stop token included." }),
    max_tokens: limit.meta({ description: "The older name of max_completion_tokens." }),
    stop: z
      .union([stopString, z.array(stopString).max(4)])
      .nullish()
      .meta({ description: "Up to four strings at which the answer ends; the string itself is not part of it." }),
    temperature: z.number().min(0).max(2).nullish().meta({ description: "Default 1. 0 takes the likeliest token." }),
    min_p: z
      .number()
      .min(0)
      .max(1)
      .nullish()
      .meta({ description: "Tokens less likely than this share of the likeliest one are never taken." }),
    seed: z
      .int()
      .nullish()
      .meta({ description: "Between -(2^53 - 1) and 2^53 - 1. Without it the gateway draws 64 random bits." }),
    ...NEUTRAL,
    ...WITHOUT_EFFECT,
  })
  .meta({ id: "ChatCompletionRequest" });

export type ChatRequest = z.infer<typeof chatRequest>;
