import type { Readable } from "node:stream";
import {
  ANSWER_EVENTS,
  errorEventSchema,
  FoldmarkError,
  hintEventSchema,
  type PaymentEvent,
  paymentEventCodec,
  tokensEventSchema,
} from "@foldmark/protocol";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import type { z } from "zod";
import { refusalCode } from "./refusalCode.ts";

/** What a provider says while it answers. */
export type AnswerEvent =
  | { type: "hint"; agreed: number }
  | { type: "tokens"; tokens: number[] }
  | { type: "payment"; payment: PaymentEvent }
  | { type: "error"; code: string };

/**
 * Reads a provider's server-sent events. Comments are passed over. The stream of a stranger: its size is bounded in all
 * and by line, and everything in it is parsed.
 * @param maxBytes - of the whole stream, comments included
 * @throws `provider.malformed` for an event that is not one of the protocol's, or for too many bytes
 */
export async function* readAnswerEvents(
  body: Readable,
  { maxBytes }: { maxBytes: number },
): AsyncGenerator<AnswerEvent> {
  const messages: EventSourceMessage[] = [];
  const parser = createParser({
    onEvent: (message) => messages.push(message),
    onError: (error) => {
      throw malformed(`The stream is no event stream: ${error.type}.`);
    },
    maxBufferSize: maxBytes,
  });
  const decoder = new TextDecoder();
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength;
    if (bytes > maxBytes) throw malformed(`The stream is longer than ${maxBytes} bytes.`);
    parser.feed(decoder.decode(chunk, { stream: true }));
    for (const message of messages.splice(0)) yield parseEvent(message);
  }
}

function parseEvent({ event, data }: EventSourceMessage): AnswerEvent {
  switch (event) {
    case ANSWER_EVENTS.hint:
      return { type: "hint", agreed: parse(hintEventSchema, data).agreed };
    case ANSWER_EVENTS.tokens:
      return { type: "tokens", tokens: parse(tokensEventSchema, data).tokens };
    case ANSWER_EVENTS.payment:
      return { type: "payment", payment: parse(paymentEventCodec, data) };
    case ANSWER_EVENTS.error: {
      return { type: "error", code: refusalCode(parse(errorEventSchema, data).error.code) };
    }
    default:
      throw malformed("The stream holds an event of an unknown name.");
  }
}

function parse<Schema extends z.ZodType>(schema: Schema, data: string): z.output<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    // without its cause, which quotes what the provider sent: that is an answer's text, and errors are logged
    throw malformed("An event's data is not JSON.");
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw malformed(`An event is malformed at ${parsed.error.issues[0]?.path.join(".") || "its root"}.`);
}

const malformed = (message: string) => new FoldmarkError("provider.malformed", message);
