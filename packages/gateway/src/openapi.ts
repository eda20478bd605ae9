import { receiptCodec } from "@foldmark/protocol";
import { z } from "zod";
import { createDocument } from "zod-openapi";
import * as answers from "./schemas/answers.ts";
import { chatRequest } from "./schemas/chatRequest.ts";
import { PRICE_CAP_HEADER } from "./schemas/priceCap.ts";
import { simulationRequest } from "./schemas/simulationRequest.ts";

const json = (schema: z.ZodType, description: string) => ({
  description,
  content: { "application/json": { schema } },
});
const failed = (description: string) => json(answers.errorAnswer, description);

const errors = {
  "400": failed("A parameter is unknown, unsupported or wrong; `param` names it."),
  "401": failed("No API key, or one that is not known."),
  "402": failed("The key's budget, or the price cap, does not cover the request."),
  "404": failed("No such model."),
  "409": failed("The idempotency key belongs to another body, or its first request is still running."),
  "413": failed("The body is too large."),
  "415": failed("The body is not application/json."),
  "429": failed("Too many requests."),
  "503": failed("No provider could answer; each one's reason is in `providers`. Nothing was charged."),
};

const paidHeaders = z.object({
  [PRICE_CAP_HEADER]: z
    .string()
    .optional()
    .meta({ description: "Base units for 10^6 tokens or steps at most: `400000`, or `in=100000, out=400000`." }),
  "x-foldmark-receipt": z.enum(["full"]).optional().meta({ description: "Puts the whole receipt into the answer." }),
});

/** The API's description, from the schemas that requests are parsed with. */
export function openApiDocument() {
  // a receipt is written and read by one codec; what is published is its JSON side
  const { $schema: _, ...receipt } = z.toJSONSchema(receiptCodec, { io: "input", unrepresentable: "any" });
  const document = createDocument({
    openapi: "3.1.0",
    info: {
      title: "Foldmark gateway",
      version: "1",
      description: "OpenAI-compatible services of a market in which every answer can be checked.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    components: { securitySchemes: { apiKey: { type: "http", scheme: "bearer" } } },
    paths: {
      "/v1/chat/completions": {
        post: {
          summary: "Answer a chat",
          security: [{ apiKey: [] }],
          requestParams: { header: paidHeaders },
          requestBody: { content: { "application/json": { schema: chatRequest } }, required: true },
          responses: {
            "200": {
              description: "The answer, or with `stream` its chunks as server-sent events, ended by `[DONE]`.",
              content: {
                "application/json": { schema: answers.chatCompletion },
                "text/event-stream": { schema: answers.chatCompletionChunk },
              },
            },
            ...errors,
          },
        },
      },
      "/v1/simulations": {
        post: {
          summary: "Price an option by Monte Carlo",
          security: [{ apiKey: [] }],
          requestParams: { header: paidHeaders },
          requestBody: { content: { "application/json": { schema: simulationRequest } }, required: true },
          responses: { "200": json(answers.simulation, "Price and standard error."), ...errors },
        },
      },
      "/v1/models": {
        get: { summary: "List the models", responses: { "200": json(answers.modelList, "Models with their offers.") } },
      },
      "/v1/models/{model}": {
        get: {
          summary: "Describe a model",
          requestParams: { path: z.object({ model: z.string() }) },
          responses: { "200": json(answers.model, "The model."), "404": errors["404"] },
        },
      },
      "/v1/receipts/{id}": {
        get: {
          summary: "Fetch a receipt",
          security: [{ apiKey: [] }],
          requestParams: {
            path: z.object({ id: z.string().meta({ description: "Of a receipt, or of a completion." }) }),
          },
          responses: {
            "200": {
              description: "Complete evidence of one answer, for the account that paid for it.",
              content: { "application/json": { schema: { $ref: "#/components/schemas/Receipt" } } },
            },
            "401": errors["401"],
            "404": failed("No such receipt of this account."),
          },
        },
      },
      "/v1/transparency": {
        get: {
          summary: "What was done",
          responses: { "200": json(answers.transparency, "Sums of the last 30 days.") },
        },
      },
      "/health": {
        get: {
          summary: "Is the gateway ready",
          responses: { "200": json(answers.health, "Ready."), "503": json(answers.health, "Not ready.") },
        },
      },
    },
  });
  const { components } = document;
  return { ...document, components: { ...components, schemas: { ...components?.schemas, Receipt: receipt } } };
}
