import { type Address, type Hex, sha256 } from "viem";
import { z } from "zod";
import { answerCodec } from "./answer.ts";
import { bytesCodec } from "./base64.ts";
import { canonicalJson, type Json } from "./canonicalJson.ts";
import { channelCodec } from "./channel.ts";
import { type Domain, foldmarkDomain } from "./domain.ts";
import { FoldmarkError } from "./errors.ts";
import { addressSchema, assetIdSchema, hashSchema, modelIdSchema, type ReceiptId, toReceiptId } from "./ids.ts";
import { baseUnitsCodec } from "./money.ts";
import { assuranceSchema, modelKindSchema, pricesCodec } from "./providerProtocol.ts";
import { recoverReceiptSigner, signReceiptMessage } from "./receiptSignature.ts";
import { type Signer, signatureSchema } from "./signature.ts";
import { preimageSchema } from "./statement.ts";

/** zod codec: a block number or another count of the chain, a number in JSON <-> bigint inside. */
const heightCodec = z.codec(z.int().min(0), z.bigint(), { decode: BigInt, encode: Number });

/** Why a gateway passed over a provider that the chain's data made eligible: its own claim, shown so that it can be counted. */
export const skipReasonSchema = z.enum([
  "unreachable", // no connection, or the endpoint's address is refused
  "not_serving", // draining, starting, or another model
  "busy",
  "no_funds", // the gateway's channel with it is exhausted or stopped
  "price_changed",
  "stalled", // missed the deadline of the first token or of a later one
  "failed", // error in the middle of an answer
  "mismatch", // signed, or delivered, other tokens than the statement's
  "backing_off", // failed a moment ago
]);
export type SkipReason = z.infer<typeof skipReasonSchema>;

const candidateCodec = z.strictObject({
  provider: addressSchema,
  assurance: assuranceSchema,
  isPaused: z.boolean(),
  prices: pricesCodec,
  stake: z.strictObject({ amount: baseUnitsCodec, unbonding: baseUnitsCodec }),
  conductEvents: z.int().min(0),
});

/** Everything that the order of providers was computed from, and who was passed over. */
export const routingRecordCodec = z.strictObject({
  account: hashSchema,
  keyBlock: z.strictObject({ number: heightCodec, hash: hashSchema, timestamp: heightCodec }),
  /** The indexed head at arrival: stake, offers, operators and conduct were read here. */
  stateBlock: z.strictObject({ number: heightCodec, hash: hashSchema }),
  rules: z.strictObject({ assurance: assuranceSchema, cap: pricesCodec, penalty: baseUnitsCodec }),
  /** No provider twice: a second entry could give it another weight. */
  candidates: z
    .array(candidateCodec)
    .refine((all) => new Set(all.map(({ provider }) => provider)).size === all.length, "must not repeat a provider"),
  skipped: z.array(
    z.strictObject({
      provider: addressSchema,
      reason: skipReasonSchema,
      /** Answer tokens that it had delivered before it was replaced. */
      tokens: z.int().min(0),
    }),
  ),
});
export type RoutingRecord = z.output<typeof routingRecordCodec>;

/** A receipt before the gateway has signed it. */
export const receiptContentCodec = z.strictObject({
  version: z.literal(1),
  kind: modelKindSchema,
  chainId: z.int().positive(),
  channels: addressSchema,
  /** SHA-256 of the client's body as received. */
  bodyHash: hashSchema,
  model: z.strictObject({
    asset: assetIdSchema,
    modelId: modelIdSchema,
    packageHash: hashSchema,
    assurance: assuranceSchema,
    /** The alias that the client named, resolved once, at this block. */
    alias: z.strictObject({ name: z.string(), block: heightCodec }).optional(),
  }),
  /** The seed was the gateway's choice, since the client sent none. */
  seedByGateway: z.boolean(),
  /** All tensors of the program that are not weights, whole. Of a cut answer: the request with its limit lowered. */
  request: z.array(bytesCodec),
  claimed: z.array(bytesCodec),
  preimage: preimageSchema,
  answer: answerCodec,
  answerSignature: signatureSchema,
  channel: channelCodec,
  /** What this answer costs the caller; `answer.charged` is a running total between gateway and provider. */
  price: baseUnitsCodec,
  /** The offer's prices at the state block. */
  prices: pricesCodec,
  usage: z.strictObject({ promptTokens: z.int().min(0), answerTokens: z.int().min(0) }),
  routing: routingRecordCodec,
  /** Present when the answer ended before its own limit or stop token. */
  cut: z
    .strictObject({
      by: z.enum(["stop", "client", "gateway"]),
      tokens: z.int().min(0),
      /** The stop string that was found, for `by: "stop"`. */
      stop: z.string().optional(),
    })
    .optional(),
  gateway: addressSchema,
  /** Unix seconds of the gateway's clock. */
  issuedAt: heightCodec,
});
export type ReceiptContent = z.output<typeof receiptContentCodec>;

export const receiptCodec = z.strictObject({ ...receiptContentCodec.shape, signature: signatureSchema });
/** Complete evidence of one answer: whoever holds it can check it and challenge it. Private to its account. */
export type Receipt = z.output<typeof receiptCodec>;
/** A receipt as JSON: amounts are decimal strings, tensors base64, block numbers and times numbers. */
export type ReceiptJson = z.input<typeof receiptCodec>;

/** SHA-256 of the canonical JSON without the signature: the receipt's id, and what the gateway signs. */
export function receiptIdOf(receipt: ReceiptContent | Receipt): ReceiptId {
  const { signature: _, ...content } = { signature: undefined, ...receipt };
  const json = z.encode(receiptContentCodec, content) as Json;
  return toReceiptId(sha256(new TextEncoder().encode(canonicalJson(json))));
}

/** @param signer - the key that is `signer` in the gateway's channels; its address is the receipt's `gateway` */
export async function signReceipt(signer: Signer, content: ReceiptContent): Promise<Receipt> {
  const message = { gateway: content.gateway, contentHash: receiptIdOf(content) };
  return { ...content, signature: await signReceiptMessage(signer, receiptDomain(content), message) };
}

/** Who signed a receipt; it must be its `gateway`. @throws `signature.malformed` */
export async function recoverReceipt(receipt: Receipt): Promise<Address> {
  const message = { gateway: receipt.gateway, contentHash: receiptIdOf(receipt) };
  return recoverReceiptSigner(receiptDomain(receipt), message, receipt.signature as Hex);
}

/** The domain that a receipt names. Whether it is the right market is for the reader to compare. */
export function receiptDomain({ chainId, channels }: Pick<ReceiptContent, "chainId" | "channels">): Domain {
  return foldmarkDomain({ chainId, channels });
}

/** The receipt as JSON, ready for `JSON.stringify`. */
export function encodeReceipt(receipt: Receipt): ReceiptJson {
  return z.encode(receiptCodec, receipt);
}

/**
 * A receipt from JSON. A receipt has one spelling, since it is signed as text: anything that would be written differently
 * (an address without its checksum, another base64) is refused.
 * @throws `receipt.malformed`
 */
export function parseReceipt(json: unknown): Receipt {
  const parsed = receiptCodec.safeParse(json);
  if (!parsed.success)
    throw new FoldmarkError("receipt.malformed", `The receipt is malformed: ${z.prettifyError(parsed.error)}`);
  if (!isCanonical(parsed.data, json as Json))
    throw new FoldmarkError("receipt.malformed", "The receipt is not written in its canonical form.", {
      hint: "Addresses carry their EIP-55 checksum, base64 is padded and canonical, and text is well-formed.",
    });
  return parsed.data;
}

function isCanonical(receipt: Receipt, json: Json): boolean {
  try {
    return canonicalJson(encodeReceipt(receipt) as Json) === canonicalJson(json);
  } catch (cause) {
    if (cause instanceof FoldmarkError && cause.code === "canonical_json.unsupported") return false;
    throw cause;
  }
}
