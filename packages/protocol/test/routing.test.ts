import { createHash } from "node:crypto";
import fc from "fast-check";
import { type Address, numberToHex } from "viem";
import { describe, expect, it } from "vitest";
import {
  accountOfApiKey,
  accountOfPayer,
  baseUnits,
  bodyHashOf,
  type Candidate,
  defaultCap,
  ineligibility,
  isKeyBlockStale,
  keyBlockNumber,
  MAX_BASE_UNITS,
  MAX_PRICE,
  priceOfAnswer,
  priceOfWork,
  rankProviders,
  routingKey,
  scoreOf,
  toHash,
  weightOf,
} from "../src/index.ts";

const penalty = baseUnits(10n); // one unit of weight is 80
const cap = { in: baseUnits(100n), out: baseUnits(100n), unit: baseUnits(100n) };
const rules = { assurance: "exact", cap, penalty } as const;
const providerAt = (n: number): Address => numberToHex(n + 1, { size: 20 });
const aKey = (n: number) => toHash(numberToHex(n, { size: 32 }));
function aCandidate(changes: Partial<Candidate> & { staked?: bigint; n?: number } = {}): Candidate {
  const { staked = 80n, n = 0, ...rest } = changes;
  return {
    provider: providerAt(n),
    assurance: "exact",
    isPaused: false,
    prices: { in: baseUnits(10n), out: baseUnits(40n), unit: baseUnits(0n) },
    stake: { amount: baseUnits(staked), unbonding: baseUnits(0n) },
    conductEvents: 0,
    ...rest,
  };
}

describe("weightOf", () => {
  it.each([
    { staked: 79n, unbonding: 0n, conductEvents: 0, weight: 0 },
    { staked: 80n, unbonding: 0n, conductEvents: 0, weight: 1 },
    { staked: 159n, unbonding: 0n, conductEvents: 0, weight: 1 },
    { staked: 1280n, unbonding: 0n, conductEvents: 0, weight: 16 },
    { staked: 1_000_000n, unbonding: 0n, conductEvents: 0, weight: 16 },
    { staked: 1280n, unbonding: 1200n, conductEvents: 0, weight: 1 },
    { staked: 1280n, unbonding: 0n, conductEvents: 1, weight: 8 },
    { staked: 1_000_000n, unbonding: 0n, conductEvents: 4, weight: 1 },
    { staked: 1_000_000n, unbonding: 0n, conductEvents: 5, weight: 0 },
  ])(
    "$staked staked, $unbonding unbonding, $conductEvents events: $weight",
    ({ staked, unbonding, conductEvents, weight }) => {
      expect(
        weightOf({ stake: { amount: baseUnits(staked), unbonding: baseUnits(unbonding) }, conductEvents }, penalty),
      ).toBe(weight);
    },
  );
});

describe("rankProviders", () => {
  it("gives each provider a share of first places in proportion to its weight", () => {
    const weights = [1, 2, 5, 16];
    const candidates = weights.map((weight, n) => aCandidate({ n, staked: 80n * BigInt(weight) }));
    const first = new Map<string, number>();
    const keys = 4000;
    for (let n = 0; n < keys; n++) {
      const winner = rankProviders(candidates, { key: aKey(n), rules }).order[0]?.provider ?? "";
      first.set(winner, (first.get(winner) ?? 0) + 1);
    }
    for (const [n, weight] of weights.entries()) {
      const p = weight / 24;
      const deviation = Math.sqrt(keys * p * (1 - p)); // keys are fixed, so this is no lottery: four sigma once and for all
      expect(Math.abs((first.get(providerAt(n)) ?? 0) - keys * p), `weight ${weight}`).toBeLessThan(4 * deviation);
    }
  });

  it("moves only the keys of the provider that left", () => {
    const candidates = [0, 1, 2, 3].map((n) => aCandidate({ n, staked: 80n * BigInt(n + 1) }));
    fc.assert(
      fc.property(fc.nat(1_000_000), fc.nat(3), (n, gone) => {
        const all = rankProviders(candidates, { key: aKey(n), rules }).order;
        const without = rankProviders(
          candidates.filter((c) => c.provider !== providerAt(gone)),
          { key: aKey(n), rules },
        ).order;
        expect(without).toEqual(all.filter((c) => c.provider !== providerAt(gone)));
      }),
      { numRuns: 50 },
    );
  });

  it("does not depend on the order of its candidates", () => {
    const candidates = [0, 1, 2, 3, 4].map((n) => aCandidate({ n }));
    fc.assert(
      fc.property(fc.shuffledSubarray(candidates, { minLength: 5 }), (shuffled) => {
        expect(rankProviders(shuffled, { key: aKey(1), rules }).order).toEqual(
          rankProviders(candidates, { key: aKey(1), rules }).order,
        );
      }),
      { numRuns: 20 },
    );
  });

  it.each([
    { reason: "paused", changes: { isPaused: true } },
    { reason: "assurance", changes: { assurance: "reputed" } as const },
    { reason: "price", changes: { prices: { in: baseUnits(101n), out: baseUnits(0n), unit: baseUnits(0n) } } },
    { reason: "price", changes: { prices: { in: baseUnits(0n), out: baseUnits(101n), unit: baseUnits(0n) } } },
    { reason: "price", changes: { prices: { in: baseUnits(0n), out: baseUnits(0n), unit: baseUnits(101n) } } },
    { reason: "stake", changes: { staked: 79n } },
    { reason: "conduct", changes: { staked: 80n, conductEvents: 1 } },
  ])("excludes by $reason, and says so", ({ reason, changes }) => {
    const bad = aCandidate({ n: 1, ...changes });
    const { order, ineligible } = rankProviders([aCandidate(), bad], { key: aKey(1), rules });
    expect(order.map((o) => o.provider)).toEqual([providerAt(0)]);
    expect(ineligible).toEqual([{ provider: bad.provider, reason }]);
  });
});

it("a price beyond any sum is excluded whatever the cap, so that what an answer may cost can be computed", () => {
  const most = baseUnits(MAX_BASE_UNITS);
  const open = { ...rules, cap: { in: most, out: most, unit: most } };
  for (const price of ["in", "out", "unit"] as const) {
    const candidate = aCandidate({ prices: { ...aCandidate().prices, [price]: baseUnits(MAX_PRICE + 1n) } });
    expect(ineligibility(candidate, open), price).toBe("price");
  }
  const dearest = { in: MAX_PRICE, out: MAX_PRICE, unit: MAX_PRICE };
  expect(ineligibility(aCandidate({ prices: dearest }), open)).toBeUndefined();
  const usage = { promptTokens: 0x7fffffff, answerTokens: 0x7fffffff };
  expect(priceOfAnswer({ ...usage, priceIn: MAX_PRICE, priceOut: MAX_PRICE })).toBeGreaterThan(0n);
  expect(priceOfWork({ units: 0xffffffff, priceUnit: MAX_PRICE })).toBeGreaterThan(0n);
});

describe("keys and scores", () => {
  const sha = (...parts: (string | Uint8Array)[]) =>
    `0x${parts.reduce((h, p) => h.update(p), createHash("sha256")).digest("hex")}`;
  const bytes = (hex: string) => Buffer.from(hex.slice(2), "hex");

  it("are plain SHA-256 of the documented bytes", () => {
    const bodyHash = bodyHashOf(new TextEncoder().encode('{"model":"m"}'));
    expect(bodyHash).toBe(sha('{"model":"m"}'));
    const account = accountOfApiKey("sk-test");
    expect(account).toBe(sha("sk-test"));
    const key = routingKey({ bodyHash, account, keyBlockHash: aKey(5) });
    expect(key).toBe(sha(bytes(bodyHash), bytes(account), bytes(aKey(5))));
    const provider = providerAt(3);
    const scores = [0, 1, 2].map((i) => sha(bytes(key), bytes(provider), Uint8Array.of(i)));
    expect(scoreOf(key, provider, 3)).toBe(scores.sort().at(-1));
  });

  it("pad a payer's address on the left", () => {
    expect(accountOfPayer("0x00000000000000000000000000000000000000aA")).toBe(`0x${"00".repeat(31)}aa`);
  });

  it.each([
    { head: 0n, confirmations: 1, block: 0n },
    { head: 63n, confirmations: 1, block: 0n },
    { head: 64n, confirmations: 1, block: 64n },
    { head: 64n, confirmations: 2, block: 0n },
    { head: 200n, confirmations: 12, block: 128n },
  ])("take block $block at head $head with $confirmations confirmations", ({ head, confirmations, block }) => {
    expect(keyBlockNumber({ head, confirmations })).toBe(block);
  });

  it.each([
    { blocks: 128n, seconds: 900n, stale: true },
    { blocks: 127n, seconds: 9000n, stale: false },
    { blocks: 1280n, seconds: 899n, stale: false },
  ])("are stale after both 128 blocks and 15 minutes: $blocks, $seconds s", ({ blocks, seconds, stale }) => {
    const keyBlock = { number: 64n, timestamp: 1000n };
    expect(isKeyBlockStale({ keyBlock, headAtSigning: 64n + blocks, signedAt: 1000n + seconds })).toBe(stale);
  });
});

describe("defaultCap", () => {
  const offering = (price: bigint) =>
    aCandidate({ prices: { in: baseUnits(price), out: baseUnits(10n * price), unit: baseUnits(0n) } });
  it("is four times the lower median of each price", () => {
    expect(defaultCap([5n, 1n, 9n, 3n].map(offering), rules)).toEqual({ in: 12n, out: 120n, unit: 0n });
    expect(defaultCap([], rules)).toEqual({ in: 0n, out: 0n, unit: 0n });
  });
  it("cannot be moved by offers that nothing stands behind", () => {
    const honest = [3n, 4n, 5n].map(offering);
    const hollow = Array.from({ length: 50 }, (_, n) => offering(n % 2 === 0 ? 0n : MAX_BASE_UNITS / 10n));
    const spoilt = hollow.map((candidate, n) => ({
      ...candidate,
      ...[{ stake: { amount: baseUnits(79n), unbonding: baseUnits(0n) } }, { isPaused: true }, { conductEvents: 5 }][
        n % 3
      ],
    }));
    expect(defaultCap([...spoilt, ...honest], rules)).toEqual(defaultCap(honest, rules));
  });
  it("is the median of all where nobody is eligible, and never too large for an amount", () => {
    const unstaked = { stake: { amount: baseUnits(0n), unbonding: baseUnits(0n) } };
    expect(defaultCap([{ ...offering(7n), ...unstaked }], rules)).toMatchObject({ in: 28n });
    const dearest = { in: baseUnits(MAX_BASE_UNITS), out: baseUnits(1n), unit: baseUnits(0n) };
    expect(defaultCap([aCandidate({ prices: dearest })], rules)).toEqual({ in: MAX_BASE_UNITS, out: 4n, unit: 0n });
  });
});
