import { z } from "zod";
import { answerCodec } from "./answer.ts";
import { base64ToBytes, bytesCodec, bytesToBase64 } from "./base64.ts";
import { channelCodec } from "./channel.ts";
import { FoldmarkError } from "./errors.ts";
import { addressSchema, assetIdSchema, channelIdSchema, hashSchema, modelIdSchema } from "./ids.ts";
import { baseUnitsCodec } from "./money.ts";
import { signatureSchema } from "./signature.ts";
import { preimageSchema } from "./statement.ts";
import { voucherCodec } from "./voucher.ts";

// Wire format between payer and provider node: docs/provider-protocol.md. Every schema is a codec: `z.decode` what came
// in, `z.encode` what goes out.

export const PROTOCOL_VERSION = 1;
export const PAYMENT_SCHEME = "foldmark-channel";
/** Request header that carries a voucher. */
export const PAYMENT_SIGNATURE_HEADER = "PAYMENT-SIGNATURE";
/** Response header of a 402. */
export const PAYMENT_REQUIRED_HEADER = "PAYMENT-REQUIRED";
export const MAX_TIMEOUT_SECONDS = 600;

/** CAIP-2 name of an EVM chain. */
export const networkOf = (chainId: number): string => `eip155:${chainId}`;

/** Base units for 10^6 prompt tokens, answer tokens, or steps. */
export const pricesCodec = z.strictObject({ in: baseUnitsCodec, out: baseUnitsCodec, unit: baseUnitsCodec });
export type Prices = z.output<typeof pricesCodec>;

export const assuranceSchema = z.enum(["exact", "reputed"]);
export type Assurance = z.infer<typeof assuranceSchema>;
export const modeSchema = z.enum(["ahead", "behind"]);
export type Mode = z.infer<typeof modeSchema>;
export const modelKindSchema = z.enum(["chat", "embedding", "simulation"]);

const tokenIds = z.array(z.int().min(0).max(0x7fffffff));

/** `GET /v1/node` */
export const nodeInfoCodec = z.strictObject({
  protocol: z.literal(PROTOCOL_VERSION),
  machineVersion: z.int().positive(),
  instance: z.string().min(1).max(128),
  payee: addressSchema,
  operator: addressSchema,
  chainId: z.int().positive(),
  channels: addressSchema,
  models: z.array(
    z.strictObject({
      asset: assetIdSchema,
      modelId: modelIdSchema,
      packageHash: hashSchema,
      kind: modelKindSchema,
      context: z.int().positive(),
      prices: pricesCodec,
      assurance: assuranceSchema,
      mode: modeSchema,
    }),
  ),
  running: z.int().min(0),
  queued: z.int().min(0),
  queueLimit: z.int().min(0),
  draining: z.boolean(),
});
export type NodeInfo = z.output<typeof nodeInfoCodec>;

/** What a payer accepts to pay, in x402's words. `amount` is this request's maximum. */
export const paymentTermsCodec = z.strictObject({
  scheme: z.literal(PAYMENT_SCHEME),
  network: z.string().regex(/^eip155:[1-9][0-9]*$/),
  amount: baseUnitsCodec,
  asset: addressSchema,
  payTo: addressSchema,
  maxTimeoutSeconds: z.int().positive(),
  extra: z.strictObject({ channels: addressSchema, model: assetIdSchema }),
});
export type PaymentTerms = z.output<typeof paymentTermsCodec>;

/** Content of the payment header. */
export const paymentCodec = z.strictObject({
  x402Version: z.literal(2),
  accepted: paymentTermsCodec,
  payload: z.strictObject({
    type: z.literal("voucher"),
    channel: channelCodec,
    voucher: voucherCodec,
    signature: signatureSchema,
  }),
});
export type Payment = z.output<typeof paymentCodec>;

/** Content of the `PAYMENT-REQUIRED` header of a 402. */
export const paymentRequiredCodec = z.strictObject({
  x402Version: z.literal(2),
  error: z.string(),
  accepts: z.array(paymentTermsCodec),
});
export type PaymentRequired = z.output<typeof paymentRequiredCodec>;

/** Body of `POST /v1/answers`: every request tensor whole, in the program's order. */
export const answerRequestCodec = z.strictObject({
  model: assetIdSchema,
  request: z.array(bytesCodec),
  prices: pricesCodec,
  hint: tokenIds.optional(),
});
export type AnswerRequest = z.output<typeof answerRequestCodec>;

/** What a payee knows of a channel; comes beside a 402. `highest` is the payer's own last voucher. */
export const channelStateCodec = z.strictObject({
  channelId: channelIdSchema,
  deposit: baseUnitsCodec,
  pendingExit: baseUnitsCodec,
  redeemed: baseUnitsCodec,
  charged: baseUnitsCodec,
  reserved: baseUnitsCodec,
  highest: z.strictObject({ maxClaimableAmount: baseUnitsCodec, signature: signatureSchema }).optional(),
});
export type ChannelState = z.output<typeof channelStateCodec>;

/** One error as a node sends it. The code is a string: a node may be newer than its payer. */
export const wireErrorSchema = z.strictObject({
  code: z.string(),
  message: z.string(),
  hint: z.string().optional(),
  details: z.record(z.string(), z.json()).optional(),
});
export const refusalCodec = z.strictObject({
  error: wireErrorSchema,
  channel: channelStateCodec.optional(),
  prices: pricesCodec.optional(),
});
export type Refusal = z.output<typeof refusalCodec>;

/** Names of the server-sent events of an answer. */
export const ANSWER_EVENTS = { hint: "hint", tokens: "tokens", payment: "payment", error: "error" } as const;

export const hintEventSchema = z.strictObject({ agreed: z.int().min(0) });
export const tokensEventSchema = z.strictObject({ tokens: tokenIds });
export const errorEventSchema = z.strictObject({ error: wireErrorSchema });
/** The last event of a good answer. `claimed` is there for programs that are run whole. */
export const paymentEventCodec = z.strictObject({
  answer: answerCodec,
  signature: signatureSchema,
  preimage: preimageSchema,
  claimed: z.array(bytesCodec).optional(),
});
export type PaymentEvent = z.output<typeof paymentEventCodec>;

/** Body of `POST /v1/answers/{channelId}/{ceiling}/cut`. */
export const cutRequestSchema = z.strictObject({ tokens: z.int().min(0) });
export const noneCodec = z.strictObject({ status: z.literal("none"), charged: baseUnitsCodec });
/** Answer to a cut: what was signed, or that nothing was. */
export const cutResponseCodec = z.union([paymentEventCodec, noneCodec]);

/** `GET /v1/answers/{channelId}/{ceiling}`. `done` and `none` are final. */
export const storedAnswerCodec = z.discriminatedUnion("status", [
  z.strictObject({ status: z.literal("running"), tokens: z.int().min(0) }),
  z.strictObject({ status: z.literal("done"), ...paymentEventCodec.shape }),
  noneCodec,
]);
export type StoredAnswer = z.output<typeof storedAnswerCodec>;

/** Path of one answer; the ceiling is the voucher's `maxClaimableAmount`. */
export function answerPath(channelId: string, ceiling: bigint): string {
  return `/v1/answers/${channelId}/${ceiling}`;
}

/** A payment as the value of `PAYMENT-SIGNATURE`. */
export function encodePaymentHeader(payment: Payment): string {
  return encodeHeader(z.encode(paymentCodec, payment));
}

/** @throws `voucher.invalid` */
export function decodePaymentHeader(header: string): Payment {
  return decodeHeader(header, paymentCodec);
}

export function encodePaymentRequiredHeader(required: PaymentRequired): string {
  return encodeHeader(z.encode(paymentRequiredCodec, required));
}

/** @throws `voucher.invalid` */
export function decodePaymentRequiredHeader(header: string): PaymentRequired {
  return decodeHeader(header, paymentRequiredCodec);
}

function encodeHeader(value: unknown): string {
  return bytesToBase64(new TextEncoder().encode(JSON.stringify(value)));
}

function decodeHeader<Schema extends z.ZodType>(header: string, schema: Schema): z.output<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(base64ToBytes(header)));
  } catch (cause) {
    throw new FoldmarkError("voucher.invalid", "The payment header is not base64 of JSON.", { cause });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new FoldmarkError("voucher.invalid", `The payment header is malformed: ${z.prettifyError(parsed.error)}`);
}
