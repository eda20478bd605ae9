import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { baseUnits, bookCharge, openPayerLedger, putInFlight } from "../src/index.ts";
import { type Event, LossyChannel } from "./support/lossyChannel.ts";

const asks = fc.record({
  do: fc.constant("ask" as const),
  maximum: fc.integer({ min: 1, max: 1_000 }),
  lost: fc.constantFrom("nothing" as const, "nothing" as const, "request" as const),
});
const answers = fc.record({
  do: fc.constant("answer" as const),
  at: fc.nat(10),
  percent: fc.integer({ min: 0, max: 100 }),
  lost: fc.constantFrom("nothing" as const, "nothing" as const, "answer" as const),
});
const crashes = fc.constantFrom<Event>({ do: "payer crashes" }, { do: "payee crashes" });
const events: fc.Arbitrary<Event[]> = fc.array(
  fc.oneof({ weight: 4, arbitrary: asks }, { weight: 4, arbitrary: answers }, { weight: 1, arbitrary: crashes }),
  { maxLength: 100, size: "max" },
);
/** One request after the other: each is over, one way or another, before the next. */
const oneByOne: fc.Arbitrary<Event[]> = fc
  .array(
    fc.oneof(
      fc.tuple(asks, answers, fc.constant<Event>({ do: "payer crashes" })),
      fc.tuple(asks, fc.constant<Event>({ do: "payee crashes" }), fc.constant<Event>({ do: "payer crashes" })),
    ),
    { maxLength: 30, size: "max" },
  )
  .map((requests) => requests.flat());

describe("an honest payer and an honest payee whose messages get lost and whose processes are killed", () => {
  it("agree on the total in the end, and each answer is paid once", () => {
    fc.assert(
      fc.property(events, (history) => {
        const run = new LossyChannel();
        for (const event of history) run.happen(event);
        run.finish();
        expect(run.payer.inFlight).toEqual([]);
        expect(run.payer.sum).toBe(run.worked);
        expect(run.payee.charged).toBe(run.worked);
        expect(run.claim <= run.worked).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it("at every moment, no voucher promises more than what is paid for and what is in flight", () => {
    fc.assert(
      fc.property(events, (history) => {
        const run = new LossyChannel();
        for (const event of history) {
          run.happen(event);
          // each voucher that came to nothing raises the next ceiling by one base unit, to be above it
          const atRisk = run.payer.lastCeiling - run.payer.sum;
          expect(atRisk <= run.mostInFlight + run.vouchers, `${atRisk} at risk`).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("at every moment, the payee works only for what a voucher in its hands covers", () => {
    fc.assert(
      fc.property(events, (history) => {
        const run = new LossyChannel();
        for (const event of history) {
          run.happen(event);
          const reserved = run.payee.reserved.reduce((sum, { maximum }) => sum + maximum, 0n);
          expect(run.payee.charged + reserved <= run.payee.highestCeiling).toBe(true);
          const unclaimable = run.payee.charged - run.claim;
          expect(unclaimable <= run.mostInFlight, `${unclaimable} cannot be claimed`).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("one by one, a payee that takes everything takes one request's maximum, and a payer that leaves owes nothing", () => {
    fc.assert(
      fc.property(oneByOne, (history) => {
        const run = new LossyChannel();
        for (const event of history) {
          run.happen(event);
          const stolen = run.payer.lastCeiling - run.payer.sum;
          expect(stolen <= run.largestMaximum + run.vouchers, `${stolen} can be stolen`).toBe(true);
          expect(run.claim).toBe(run.payee.charged);
        }
      }),
      { numRuns: 300 },
    );
  });
});

it("a payer that lost its records signs above the last voucher that its payee can show, and pays what it promised once", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000 }), fc.nat(1_000), fc.nat(1_000), (maximum, redeemed, more) => {
      const lost = baseUnits(BigInt(redeemed + more)); // the highest voucher of the time before
      const ledger = openPayerLedger({ redeemed: baseUnits(BigInt(redeemed)), lastCeiling: lost });
      const next = putInFlight(ledger, baseUnits(BigInt(maximum)));
      expect(next.ceiling).toBeGreaterThan(lost);
      expect(next.ceiling).toBeGreaterThanOrEqual(BigInt(redeemed + maximum));
      const price = baseUnits(BigInt(maximum));
      const charged = baseUnits(BigInt(redeemed + maximum));
      expect(bookCharge(next.ledger, { ceiling: next.ceiling, charged, price }).status).toBe("accepted");
      const dearer = baseUnits(charged + 1n);
      expect(bookCharge(next.ledger, { ceiling: next.ceiling, charged: dearer, price })).toMatchObject({
        status: "refused",
      });
    }),
  );
});
