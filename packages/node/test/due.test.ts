import { baseUnits } from "@foldmark/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { gasOfRow, isDue } from "../src/money/due.ts";
import type { Claim } from "../src/store/ledger.ts";
import { aVoucher } from "./builders.ts";

const aClaim = (changes: { amount?: bigint; redeemed?: bigint; owingSince?: number } = {}): Claim => {
  const { channelId, terms, ceiling, signature } = aVoucher(1_000_000n);
  const { amount = 500n, redeemed = 0n, owingSince = 1_000 } = changes;
  return { channelId, terms, ceiling, signature, owingSince, amount: baseUnits(amount), redeemed: baseUnits(redeemed) };
};
const options = { gas: baseUnits(5n), now: 1_000n, noticeSeconds: 600n, isLeaving: false };

describe("isDue", () => {
  it.each([
    {
      behaviour: "waits while a hundredth is no more than the gas",
      claim: aClaim({ amount: 500n }),
      change: {},
      due: false,
    },
    { behaviour: "goes when a hundredth is more than the gas", claim: aClaim({ amount: 501n }), change: {}, due: true },
    {
      behaviour: "counts only what is not paid yet",
      claim: aClaim({ amount: 900n, redeemed: 400n }),
      change: {},
      due: false,
    },
    { behaviour: "goes when its payer leaves", claim: aClaim({ amount: 1n }), change: { isLeaving: true }, due: true },
    { behaviour: "waits for half the notice", claim: aClaim({ amount: 1n }), change: { now: 1_300n }, due: false },
    { behaviour: "goes after half the notice", claim: aClaim({ amount: 1n }), change: { now: 1_301n }, due: true },
    {
      behaviour: "never goes for nothing",
      claim: aClaim({ amount: 7n, redeemed: 7n }),
      change: { isLeaving: true },
      due: false,
    },
  ])("$behaviour", ({ claim, change, due }) => {
    expect(isDue(claim, { ...options, ...change })).toBe(due);
  });
});

describe("gasOfRow", () => {
  it("is in the settlement token, rounded up, and less for each row of a larger batch", () => {
    const price = { gasPrice: 10n ** 9n, nativePrice: baseUnits(3_000_000_000n) };
    expect(gasOfRow({ rows: 1, ...price })).toBe(255_000n); // 85,000 gas at 1 gwei are 0.000085 ETH, at 3,000 TUSD each
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 200 }), (a, b) => {
        const [few, many] = [Math.min(a, b), Math.max(a, b)];
        expect(gasOfRow({ rows: few, ...price })).toBeGreaterThanOrEqual(gasOfRow({ rows: many, ...price }));
      }),
    );
  });
});
