import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  answerRequestCodec,
  nodeInfoCodec,
  paymentCodec,
  receiptCodec,
  refusalCodec,
  storedAnswerCodec,
} from "../src/index.ts";

describe("schemas of what goes over the wire", () => {
  it.each(
    Object.entries({ answerRequestCodec, nodeInfoCodec, paymentCodec, receiptCodec, refusalCodec, storedAnswerCodec }),
  )("%s can be published as JSON Schema", (_, codec) => {
    const text = JSON.stringify(z.toJSONSchema(codec, { io: "input" }));
    expect(text).toContain('"additionalProperties":false');
    expect(text).toContain('"pattern"');
  });
});
