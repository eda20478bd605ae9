import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  baseUnits,
  canonicalJson,
  checkRouting,
  encodeReceipt,
  hasStaleKey,
  isSameAddress,
  type Json,
  parseReceipt,
  priceOfReceipt,
  type ReceiptContent,
  rankProviders,
  receiptIdOf,
  recoverReceipt,
  routingKey,
  signReceipt,
} from "../src/index.ts";
import { answer, aReceipt, gateway, prices } from "./support/builders.ts";

describe("canonicalJson", () => {
  it("has one spelling whatever the order of keys, and says what JSON.parse reads back", () => {
    const value = fc.letrec<{ json: Json }>((tie) => ({
      json: fc.oneof(
        { maxDepth: 3 },
        fc.constantFrom(null, true, false),
        fc.maxSafeInteger().filter((n) => !Object.is(n, -0)),
        fc.string({ unit: "grapheme" }),
        fc.array(tie("json"), { maxLength: 3 }),
        fc.dictionary(fc.string(), tie("json"), { maxKeys: 4 }),
      ),
    })).json;
    const reversed = (v: Json): Json => {
      if (Array.isArray(v)) return v.map(reversed);
      if (v === null || typeof v !== "object") return v;
      return Object.fromEntries(
        Object.entries(v)
          .reverse()
          .map(([key, member]) => [key, reversed(member as Json)]),
      );
    };
    fc.assert(
      fc.property(value, (v) => {
        const text = canonicalJson(v);
        expect(canonicalJson(reversed(v))).toBe(text);
        expect(canonicalJson(JSON.parse(text))).toBe(text);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(v)));
      }),
    );
  });
  it("sorts, drops undefined members and writes no space", () => {
    expect(canonicalJson({ b: [1, { d: "é", c: null }], a: undefined, A: true })).toBe(
      '{"A":true,"b":[1,{"c":null,"d":"é"}]}',
    );
  });
  it("sorts by UTF-16 code units, not by code points", () => {
    expect(canonicalJson({ "\u{1f600}": 1, "\uff5e": 2 })).toBe('{"\u{1f600}":1,"\uff5e":2}');
  });
  it("tells apart texts that look alike, and keys named like members of every object", () => {
    expect(canonicalJson("\u00e9")).not.toBe(canonicalJson("e\u0301"));
    const text = '{"__proto__":1,"constructor":2}';
    expect(canonicalJson(JSON.parse(text))).toBe(text);
  });
  it.each<[string, unknown]>([
    ["a fraction", 1.5],
    ["NaN", Number.NaN],
    ["a number that is no safe integer", 2 ** 53],
    ["minus zero", -0],
    ["half a surrogate pair", "\ud800"],
    ["a key with half a surrogate pair", { "\ud800": 1 }],
    ["nothing", undefined],
    ["a hole", new Array(1)],
    ["a bigint", 1n],
    ["a date", new Date(0)],
    ["bytes", Uint8Array.of(1)],
    ["a map", new Map([["a", 1]])],
  ])("refuses %s", (_, bad) => {
    expect(() => canonicalJson([bad as Json])).toThrow(expect.objectContaining({ code: "canonical_json.unsupported" }));
  });
});

describe("a receipt", () => {
  it("is signed by its gateway, under the SHA-256 of its canonical JSON", async () => {
    const receipt = await signReceipt(gateway, aReceipt());
    expect(await recoverReceipt(receipt)).toBe(gateway.address);
    const { signature: _, ...content } = encodeReceipt(receipt);
    expect(receiptIdOf(receipt)).toBe(
      `0x${createHash("sha256")
        .update(canonicalJson(content as Json))
        .digest("hex")}`,
    );
  });

  it("comes back from JSON as it went, with the same id and signer", async () => {
    const receipt = await signReceipt(gateway, aReceipt({ cut: { by: "stop", tokens: 5, stop: "\n\n" } }));
    const back = parseReceipt(JSON.parse(JSON.stringify(encodeReceipt(receipt))));
    expect(back).toEqual(receipt);
    expect(await recoverReceipt(back)).toBe(gateway.address);
  });

  it("has another signer when anything in it is changed", async () => {
    const receipt = await signReceipt(gateway, aReceipt());
    const changes: Partial<ReceiptContent>[] = [
      { price: baseUnits(4n) },
      { seedByGateway: false },
      { claimed: [Uint8Array.of(1, 2, 4)] },
      { routing: { ...receipt.routing, skipped: [{ provider: gateway.address, reason: "busy", tokens: 0 }] } },
    ];
    for (const changed of changes)
      expect(await recoverReceipt({ ...receipt, ...changed }), Object.keys(changed)[0]).not.toBe(gateway.address);
  });

  it.each<[string, (json: Record<string, unknown>) => void]>([
    [
      "an unknown field",
      (json) => {
        json.prompt = "hello";
      },
    ],
    [
      "an address without its checksum",
      (json) => {
        json.gateway = String(json.gateway).toLowerCase();
      },
    ],
    [
      "another spelling of base64",
      (json) => {
        json.claimed = ["AQIE".replace("E", "F=")];
      },
    ],
    [
      "an amount as a number",
      (json) => {
        json.price = 3;
      },
    ],
    [
      "minus zero",
      (json) => {
        json.usage = { promptTokens: -0, answerTokens: 5 };
      },
    ],
    [
      "half a surrogate pair",
      (json) => {
        json.cut = { by: "stop", tokens: 5, stop: "\ud800" };
      },
    ],
    [
      "a member named __proto__",
      (json) => {
        Object.defineProperty(json, "__proto__", { value: {}, enumerable: true });
      },
    ],
    [
      "a provider listed twice",
      (json) => {
        const routing = json.routing as { candidates: object[] };
        const [first] = routing.candidates;
        json.routing = { ...routing, candidates: [...routing.candidates, { ...first, conductEvents: 1 }] };
      },
    ],
    [
      "no signature",
      (json) => {
        delete json.signature;
      },
    ],
  ])("is refused with %s", async (_, spoil) => {
    const json: Record<string, unknown> = { ...encodeReceipt(await signReceipt(gateway, aReceipt())) };
    spoil(json);
    expect(() => parseReceipt(json)).toThrow(expect.objectContaining({ code: "receipt.malformed" }));
  });
});

describe("checkRouting", () => {
  const content = aReceipt();
  const key = routingKey({
    bodyHash: content.bodyHash,
    account: content.routing.account,
    keyBlockHash: content.routing.keyBlock.hash,
  });
  const [first, second, third] = rankProviders(content.routing.candidates, {
    key,
    rules: content.routing.rules,
  }).order.map((r) => r.provider);
  if (!first || !second || !third) throw new Error("three candidates expected");
  const answeredBy = (payee: typeof first, skipped: (typeof first)[] = []) => ({
    ...content,
    answer: { ...answer, payee },
    routing: {
      ...content.routing,
      skipped: skipped.map((p) => ({ provider: p, reason: "unreachable" as const, tokens: 0 })),
    },
  });

  it("accepts the first in order, and a later one when all before it are listed as skipped", () => {
    expect(checkRouting(answeredBy(first))).toEqual({ status: "ok", rank: 0 });
    expect(checkRouting(answeredBy(third, [first, second]))).toEqual({ status: "ok", rank: 2 });
  });
  it("catches a provider that was passed over", () => {
    expect(checkRouting(answeredBy(second))).toEqual({ status: "passed_over", provider: first, chosen: second });
    expect(checkRouting(answeredBy(third, [second]))).toMatchObject({ status: "passed_over", provider: first });
  });
  it("catches a provider that the rules exclude, one that is no candidate, and other prices", () => {
    const paused = answeredBy(first);
    paused.routing.candidates = content.routing.candidates.map((c) =>
      isSameAddress(c.provider, first) ? { ...c, isPaused: true } : c,
    );
    expect(checkRouting(paused)).toMatchObject({ status: "ineligible", reason: "paused" });
    expect(checkRouting(answeredBy(gateway.address))).toMatchObject({ status: "not_a_candidate" });
    expect(checkRouting({ ...answeredBy(first), prices: { ...prices, in: baseUnits(1n) } })).toMatchObject({
      status: "prices_differ",
    });
  });
});

it("priceOfReceipt follows the kind", () => {
  expect(priceOfReceipt(aReceipt())).toBe(3n);
  expect(priceOfReceipt(aReceipt({ kind: "simulation", prices: { ...prices, unit: baseUnits(1_000_000n) } }))).toBe(
    15n,
  );
});

it("hasStaleKey measures from `until` - WINDOW", () => {
  const receipt = aReceipt(); // until is 4523 s after the key block
  expect(hasStaleKey(receipt, { windowSeconds: 3_623n, headAtSigning: 192n })).toBe(true);
  expect(hasStaleKey(receipt, { windowSeconds: 3_624n, headAtSigning: 192n })).toBe(false);
  expect(hasStaleKey(receipt, { windowSeconds: 0n, headAtSigning: 191n })).toBe(false);
});
