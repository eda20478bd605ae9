import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  answerRequestCodec,
  baseUnits,
  cutResponseCodec,
  decodePaymentHeader,
  decodePaymentRequiredHeader,
  encodePaymentHeader,
  encodePaymentRequiredHeader,
  paymentEventCodec,
  refusalCodec,
  storedAnswerCodec,
} from "../src/index.ts";
import { asset, payment, paymentEvent, prices } from "./support/builders.ts";

const overTheWire = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe("payment header", () => {
  it("comes back as it went", () => {
    const header = encodePaymentHeader(payment);
    expect(header).toMatch(/^[A-Za-z0-9+/]+=*$/);
    expect(decodePaymentHeader(header)).toEqual(payment);
  });
  it("has the documented JSON inside", () => {
    const json = JSON.parse(Buffer.from(encodePaymentHeader(payment), "base64").toString());
    expect(json.payload.voucher.maxClaimableAmount).toBe("123");
    expect(json.payload.channel.model).toBe(asset);
    expect(json.accepted).toMatchObject({ scheme: "foldmark-channel", network: "eip155:31337", amount: "30" });
  });
  it.each([
    ["no base64", "***"],
    ["no JSON", Buffer.from("{").toString("base64")],
    ["invalid UTF-8", Buffer.from([0xff, 0xfe]).toString("base64")],
    ["another shape", Buffer.from('{"x402Version":1}').toString("base64")],
  ])("is refused with %s", (_, header) => {
    expect(() => decodePaymentHeader(header)).toThrow(expect.objectContaining({ code: "voucher.invalid" }));
  });
  it("of a 402 comes back too", () => {
    const required = { x402Version: 2, error: "voucher.missing", accepts: [payment.accepted] } as const;
    expect(
      decodePaymentRequiredHeader(encodePaymentRequiredHeader({ ...required, accepts: [payment.accepted] })),
    ).toEqual(required);
  });
});

describe("bodies", () => {
  it("carry tensors as base64 and amounts as decimal strings", () => {
    const request = { model: asset, request: [Uint8Array.of(1, 2), new Uint8Array(100_000)], prices, hint: [17, 4] };
    const json = overTheWire(z.encode(answerRequestCodec, request));
    expect(json).toMatchObject({ prices: { in: "100000", out: "400000", unit: "0" }, hint: [17, 4] });
    expect(z.decode(answerRequestCodec, json as z.input<typeof answerRequestCodec>)).toEqual(request);
  });
  it.each([
    ["an unknown field", { text: "hello" }],
    ["a negative token", { hint: [-1] }],
    ["a token that is no integer", { hint: [1.5] }],
    ["base64 with stray bits", { request: ["AQ=B"] }],
    ["base64 that another encoder would write differently", { request: ["AR=="] }],
    ["a price as a number", { prices: { in: 1, out: "1", unit: "0" } }],
  ])("are refused with %s", (_, change) => {
    const good = z.encode(answerRequestCodec, { model: asset, request: [], prices });
    expect(answerRequestCodec.safeParse(good).success).toBe(true);
    expect(answerRequestCodec.safeParse({ ...good, ...change }).success).toBe(false);
  });
  it("name the payment event's time as a number and its amounts as strings", () => {
    const json = overTheWire(z.encode(paymentEventCodec, paymentEvent));
    expect(json).toMatchObject({ answer: { until: 1_764_104_523, charged: "97" }, claimed: ["AQID/w=="] });
    expect(paymentEventCodec.parse(json)).toEqual(paymentEvent);
  });
  it("tell the four states of a stored answer apart", () => {
    const done = { status: "done", ...paymentEvent } as const;
    const none = { status: "none", charged: baseUnits(5n) } as const;
    for (const state of [{ status: "running", tokens: 3 } as const, done, none])
      expect(storedAnswerCodec.parse(overTheWire(z.encode(storedAnswerCodec, state)))).toEqual(state);
    expect(cutResponseCodec.parse(overTheWire(z.encode(cutResponseCodec, none)))).toEqual(none);
    expect(cutResponseCodec.parse(overTheWire(z.encode(cutResponseCodec, paymentEvent)))).toEqual(paymentEvent);
  });
  it("take a refusal with the channel's state", () => {
    const refusal = {
      error: { code: "voucher.stale", message: "stale" },
      channel: {
        channelId: payment.payload.voucher.channelId,
        deposit: "10",
        pendingExit: "0",
        redeemed: "0",
        charged: "3",
        reserved: "0",
      },
    };
    expect(refusalCodec.parse(refusal).channel?.charged).toBe(3n);
  });
});
