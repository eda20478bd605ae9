import { z } from "zod";

// What this gateway answers, for the API's description and for the tests that hold the answers to it.

const decimal = z
  .string()
  .regex(/^[0-9]+$/)
  .meta({ description: "Base units of the settlement token." });
const address = z.string().regex(/^0x[0-9a-fA-F]{40}$/);
const hash = z.string().regex(/^0x[0-9a-f]{64}$/);
const prices = z
  .strictObject({ in: decimal, out: decimal, unit: decimal })
  .meta({ id: "Prices", description: "Base units for 10^6 prompt tokens, answer tokens, steps." });

export const errorAnswer = z
  .strictObject({
    error: z.strictObject({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable(),
      code: z.string().nullable(),
      providers: z.array(z.looseObject({ provider: address, reason: z.string() })).optional(),
      position: z.int().optional(),
    }),
  })
  .meta({ id: "Error", description: "OpenAI's error object; `providers` says why each one did not answer." });

const foldmark = z
  .strictObject({
    receipt_id: hash,
    receipt_url: z.string(),
    provider: address,
    price: decimal,
    prices,
    asset: hash,
    statement_id: hash,
    until: z.int().meta({ description: "Last second (unix) in which the answer may be challenged." }),
    seed: z.string().regex(/^-?[0-9]+$/),
    seed_by_gateway: z.boolean(),
    skipped: z.array(z.strictObject({ provider: address, reason: z.string(), tokens: z.int() })),
    cut: z
      .strictObject({ by: z.enum(["stop", "client", "gateway"]), tokens: z.int(), stop: z.string().optional() })
      .optional(),
    receipt: z.looseObject({}).optional().meta({ description: "The whole receipt, for `x-foldmark-receipt: full`." }),
  })
  .meta({ id: "Foldmark", description: "How the answer came about, and where its evidence is." });

const usage = z
  .strictObject({ prompt_tokens: z.int(), completion_tokens: z.int(), total_tokens: z.int() })
  .meta({ id: "Usage" });
const finishReason = z.enum(["stop", "length"]);
const head = { id: z.string(), created: z.int(), model: z.string(), system_fingerprint: z.string() };

export const chatCompletion = z
  .strictObject({
    ...head,
    object: z.literal("chat.completion"),
    choices: z.tuple([
      z.strictObject({
        index: z.literal(0),
        message: z.strictObject({ role: z.literal("assistant"), content: z.string(), refusal: z.null() }),
        logprobs: z.null(),
        finish_reason: finishReason,
      }),
    ]),
    usage,
    x_foldmark: foldmark,
  })
  .meta({ id: "ChatCompletion" });

export const chatCompletionChunk = z
  .strictObject({
    ...head,
    object: z.literal("chat.completion.chunk"),
    choices: z
      .array(
        z.strictObject({
          index: z.literal(0),
          delta: z.strictObject({
            role: z.literal("assistant").optional(),
            content: z.string().optional(),
            refusal: z.null().optional(),
          }),
          logprobs: z.null(),
          finish_reason: finishReason.nullable(),
        }),
      )
      .max(1),
    usage: usage.nullable().optional(),
    x_foldmark: foldmark.optional().meta({ description: "On the last chunk." }),
  })
  .meta({ id: "ChatCompletionChunk" });

export const model = z
  .strictObject({
    id: z.string(),
    object: z.literal("model"),
    created: z.int(),
    owned_by: address,
    x_foldmark: z.strictObject({
      asset: hash,
      model_id: hash,
      package_hash: hash,
      kind: z.enum(["chat", "simulation"]),
      context: z.int(),
      assurance: z.literal("exact"),
      offers: z.array(z.strictObject({ provider: address, prices, paused: z.boolean(), conduct_events: z.int() })),
    }),
  })
  .meta({ id: "Model" });

export const modelList = z.strictObject({ object: z.literal("list"), data: z.array(model) }).meta({ id: "ModelList" });

export const simulation = z
  .strictObject({
    id: z.string(),
    object: z.literal("simulation"),
    created: z.int(),
    model: z.string(),
    parameters: z.looseObject({}),
    paths: z.int(),
    price: z.number(),
    standard_error: z.number(),
    usage: z.strictObject({ steps: z.int() }),
    x_foldmark: foldmark,
  })
  .meta({ id: "Simulation" });

const counts = z.record(z.string(), z.int());

export const transparency = z
  .strictObject({
    object: z.literal("transparency"),
    since: z.iso.date(),
    requests: z.int(),
    requests_by_model: counts,
    refusals: counts,
    failovers: counts,
    failures_by_provider: counts,
    mismatches_by_model: counts,
    work: z.array(z.strictObject({ provider: address, answers: z.int(), share: z.number(), paid: decimal })),
    paid: decimal,
    borne: decimal,
  })
  .meta({ id: "Transparency" });

export const health = z
  .strictObject({ status: z.enum(["ok", "starting", "draining", "chain_unreachable"]), block: z.int().optional() })
  .meta({ id: "Health" });
