import type { Readable } from "node:stream";
import {
  type AnswerRequest,
  answerPath,
  answerRequestCodec,
  cutRequestSchema,
  cutResponseCodec,
  encodePaymentHeader,
  FoldmarkError,
  PAYMENT_SIGNATURE_HEADER,
  type Payment,
  type PaymentEvent,
  type Refusal,
  refusalCodec,
  type StoredAnswer,
  storedAnswerCodec,
} from "@foldmark/protocol";
import { z } from "zod";
import { type AnswerEvent, readAnswerEvents } from "./answerEvents.ts";
import type { Connection } from "./connections.ts";
import { before, type Deadlines } from "./deadline.ts";
import { refusalCode } from "./refusalCode.ts";

export type Asked =
  | { status: "accepted"; events: AsyncGenerator<AnswerEvent>; hangUp: () => void }
  | { status: "refused"; httpStatus: number; refusal: Refusal };

export type CutResult = { status: "signed"; payment: PaymentEvent } | { status: "none"; charged: bigint };

export type StoredResult = StoredAnswer | { status: "unknown" };

export type ProviderClientDeps = { deadlines: Deadlines; now: () => number };

const MAX_REFUSAL_BYTES = 65_536;
/** Room for the payment event of a chat and the framing; tokens and claimed tensors come on top. */
const STREAM_BASE_BYTES = 262_144;
const STREAM_BYTES_PER_TOKEN = 128;

/**
 * Buys one answer. Returns as soon as the provider has accepted the voucher or refused it.
 * @throws `provider.unreachable`, `provider.stalled`, `provider.malformed`
 */
export async function askProvider(
  connection: Connection,
  { request, payment, limit }: { request: AnswerRequest; payment: Payment; limit: number },
  { deadlines, now }: ProviderClientDeps,
): Promise<Asked> {
  const response = await send(connection, {
    method: "POST",
    path: "/v1/answers",
    payment,
    body: JSON.stringify(z.encode(answerRequestCodec, request)),
    deadline: now() + deadlines.headersMs,
    now,
  });
  const { statusCode, body } = response;
  if (statusCode !== 200) {
    const refusal = await readJson(body, refusalCodec, {
      maxBytes: MAX_REFUSAL_BYTES,
      deadline: now() + deadlines.headersMs,
      now,
    });
    return { status: "refused", httpStatus: statusCode, refusal };
  }
  const maxBytes = STREAM_BASE_BYTES + limit * STREAM_BYTES_PER_TOKEN;
  return { status: "accepted", events: readAnswerEvents(body, { maxBytes }), hangUp: () => destroy(body) };
}

/**
 * Ends an answer at `tokens` answer tokens and gets what the provider signs for it.
 * @throws `provider.unreachable`, `provider.stalled`, `provider.malformed`, `provider.answer_refused` for a refusal
 */
export async function cutAnswer(
  connection: Connection,
  { payment, tokens }: { payment: Payment; tokens: number },
  { deadlines, now }: ProviderClientDeps,
): Promise<CutResult> {
  const { channelId, maxClaimableAmount } = payment.payload.voucher;
  const deadline = now() + deadlines.questionMs;
  const { statusCode, body } = await send(connection, {
    method: "POST",
    path: `${answerPath(channelId, maxClaimableAmount)}/cut`,
    payment,
    body: JSON.stringify(z.encode(cutRequestSchema, { tokens })),
    deadline,
    now,
  });
  if (statusCode !== 200) throw await refusalError(body, { statusCode, deadline, now });
  const result = await readJson(body, cutResponseCodec, { maxBytes: STREAM_BASE_BYTES, deadline, now });
  return "status" in result ? result : { status: "signed", payment: result };
}

/**
 * Asks for the answer that the provider has stored under a voucher.
 * @throws `provider.unreachable`, `provider.stalled`, `provider.malformed`, `provider.answer_refused` for a refusal
 */
export async function storedAnswer(
  connection: Connection,
  { payment }: { payment: Payment },
  { deadlines, now }: ProviderClientDeps,
): Promise<StoredResult> {
  const { channelId, maxClaimableAmount } = payment.payload.voucher;
  const deadline = now() + deadlines.questionMs;
  const path = answerPath(channelId, maxClaimableAmount);
  const { statusCode, body } = await send(connection, { method: "GET", path, payment, deadline, now });
  if (statusCode === 404) {
    destroy(body);
    return { status: "unknown" };
  }
  if (statusCode !== 200) throw await refusalError(body, { statusCode, deadline, now });
  return readJson(body, storedAnswerCodec, { maxBytes: STREAM_BASE_BYTES, deadline, now });
}

/** Failures of connecting: nothing of the request has reached anybody. */
const NEVER_SENT = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "ENOTFOUND", "UND_ERR_CONNECT_TIMEOUT"]);

type Outgoing = {
  method: "GET" | "POST";
  path: string;
  payment: Payment;
  body?: string;
  deadline: number;
  now: () => number;
};

async function send({ pool, basePath }: Connection, { method, path, payment, body, deadline, now }: Outgoing) {
  const abort = new AbortController();
  const headers = {
    accept: "text/event-stream, application/json",
    ...(body !== undefined && { "content-type": "application/json" }),
    [PAYMENT_SIGNATURE_HEADER]: encodePaymentHeader(payment),
  };
  // undici's own timeouts are off: deadlines depend on what has arrived, and `before` keeps them
  const sent = pool.request({
    method,
    path: `${basePath}${path}`,
    headers,
    body: body ?? null,
    headersTimeout: 0,
    bodyTimeout: 0,
    signal: abort.signal,
  });
  try {
    return await before(sent, { deadline, now });
  } catch (error) {
    abort.abort();
    if (error instanceof FoldmarkError) throw error;
    throw unreachable(error);
  }
}

async function readJson<Schema extends z.ZodType>(
  body: Readable,
  schema: Schema,
  { maxBytes, deadline, now }: { maxBytes: number; deadline: number; now: () => number },
): Promise<z.output<Schema>> {
  try {
    const text = await before(readText(body, maxBytes), { deadline, now });
    const parsed = schema.safeParse(parseJson(text));
    if (parsed.success) return parsed.data;
  } catch (error) {
    if (error instanceof FoldmarkError) throw error;
    throw unreachable(error);
  } finally {
    destroy(body);
  }
  throw new FoldmarkError("provider.malformed", "The provider's reply is not one of the protocol's.");
}

async function readText(body: Readable, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes)
      throw new FoldmarkError("provider.malformed", `The provider's reply is longer than ${maxBytes} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // no schema takes undefined, so the caller reports it as malformed
  }
}

async function refusalError(
  body: Readable,
  { statusCode, deadline, now }: { statusCode: number; deadline: number; now: () => number },
): Promise<FoldmarkError> {
  const { error } = await readJson(body, refusalCodec, { maxBytes: MAX_REFUSAL_BYTES, deadline, now });
  const refused = refusalCode(error.code);
  return new FoldmarkError("provider.answer_refused", `The provider refused: ${refused}.`, {
    details: { status: statusCode, refused },
  });
}

function unreachable(cause: unknown): FoldmarkError {
  return new FoldmarkError("provider.unreachable", "The connection to the provider failed.", {
    details: { isSent: !NEVER_SENT.has((cause as { code?: string })?.code ?? "") },
    cause,
  });
}

function destroy(body: Readable): void {
  body.on("error", () => {}); // hanging up is our own doing
  body.destroy();
}
