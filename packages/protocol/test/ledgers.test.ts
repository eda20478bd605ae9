import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type BaseUnits,
  baseUnits,
  bookCharge,
  type Channel,
  chargeAnswer,
  closeReserved,
  closeWithoutAnswer,
  mulDivDown,
  openPayeeLedger,
  openPayerLedger,
  putInFlight,
  takeVoucher,
  toChannelId,
} from "../src/index.ts";

const payer = "0x1000000000000000000000000000000000000001";
const payee = "0x2000000000000000000000000000000000000002";
const stranger = "0x3000000000000000000000000000000000000003";
const channel: Channel = { payer, signer: payer, payee, model: 7n, salt: `0x${"00".repeat(32)}` };
const channelId = toChannelId(`0x${"01".repeat(32)}`);
const aVoucher = (ceiling: bigint) => ({ channelId, maxClaimableAmount: baseUnits(ceiling) });
const aContext = {
  channel,
  channelId,
  signer: payer,
  payee,
  model: 7n,
  maximum: baseUnits(100n),
  deposit: baseUnits(1000n),
  pendingExit: baseUnits(0n),
} as const;

describe("takeVoucher", () => {
  const busy = {
    charged: baseUnits(50n),
    highestCeiling: baseUnits(200n),
    reserved: [{ ceiling: baseUnits(200n), maximum: baseUnits(150n) }],
  };
  it.each([
    { behaviour: "serves exactly what is needed", ceiling: 300n, changes: {}, verdict: { status: "served" } },
    {
      behaviour: "refuses one base unit less",
      ceiling: 299n,
      changes: {},
      verdict: { reason: "too_low", needed: 300n },
    },
    {
      behaviour: "refuses the same ceiling again",
      ceiling: 200n,
      changes: {},
      verdict: { reason: "stale", highest: 200n },
    },
    {
      behaviour: "refuses more than the deposit",
      ceiling: 1001n,
      changes: {},
      verdict: { reason: "exhausted", available: 1000n },
    },
    {
      behaviour: "counts a pending exit",
      ceiling: 300n,
      changes: { pendingExit: baseUnits(701n) },
      verdict: { reason: "exhausted", available: 299n },
    },
    {
      behaviour: "serves nothing when all is exiting",
      ceiling: 300n,
      changes: { pendingExit: baseUnits(2000n) },
      verdict: { reason: "exhausted", available: 0n },
    },
    {
      behaviour: "refuses dust channels",
      ceiling: 300n,
      changes: { minimumDeposit: baseUnits(1001n) },
      verdict: { reason: "deposit_too_small" },
    },
    {
      behaviour: "refuses another signer",
      ceiling: 300n,
      changes: { signer: stranger } as const,
      verdict: { reason: "wrong_signer" },
    },
    {
      behaviour: "refuses another payee",
      ceiling: 300n,
      changes: { payee: stranger } as const,
      verdict: { reason: "wrong_payee" },
    },
    { behaviour: "refuses another model", ceiling: 300n, changes: { model: 0n }, verdict: { reason: "wrong_model" } },
    {
      behaviour: "refuses terms that are not the voucher's",
      ceiling: 300n,
      changes: { channelId: toChannelId(`0x${"02".repeat(32)}`) },
      verdict: { reason: "wrong_channel" },
    },
  ])("$behaviour", ({ ceiling, changes, verdict }) => {
    expect(takeVoucher(busy, aVoucher(ceiling), { ...aContext, ...changes })).toMatchObject(verdict);
  });
  it("reserves the request's maximum until it ends", () => {
    const verdict = takeVoucher(openPayeeLedger(), aVoucher(100n), aContext);
    if (verdict.status !== "served") throw new Error(verdict.reason);
    expect(takeVoucher(verdict.ledger, aVoucher(150n), aContext)).toMatchObject({ reason: "too_low", needed: 200n });
    expect(takeVoucher(closeReserved(verdict.ledger, baseUnits(100n)), aVoucher(150n), aContext)).toMatchObject({
      status: "served",
    });
  });
});

describe("bookCharge", () => {
  const { ledger, ceiling } = putInFlight(openPayerLedger(), baseUnits(100n));
  const price = baseUnits(40n);
  it.each([
    { behaviour: "accepts the exact price", charged: 40n, verdict: { status: "accepted" } },
    { behaviour: "accepts less", charged: 39n, verdict: { status: "accepted" } },
    { behaviour: "refuses more than the sum", charged: 41n, verdict: { reason: "overcharged", allowed: 40n } },
    {
      behaviour: "refuses more than the ceiling",
      charged: 101n,
      verdict: { reason: "charge_above_ceiling", allowed: 100n },
    },
  ])("$behaviour", ({ charged, verdict }) => {
    expect(bookCharge(ledger, { ceiling, charged: baseUnits(charged), price })).toMatchObject(verdict);
  });
  it("accepts a total that covers a request still in flight, and refuses it when that one ends without an answer", () => {
    const second = putInFlight(ledger, baseUnits(100n));
    const early = bookCharge(second.ledger, { ceiling: second.ceiling, charged: baseUnits(140n), price });
    expect(early.status).toBe("accepted");
    if (early.status !== "accepted") return;
    expect(bookCharge(early.ledger, { ceiling, charged: baseUnits(40n), price })).toMatchObject({
      reason: "overcharged",
      allowed: 80n,
    });
  });
  it("refuses an answer for a ceiling that is not in flight, so none is booked twice", () => {
    const once = bookCharge(ledger, { ceiling, charged: price, price });
    if (once.status !== "accepted") throw new Error(once.reason);
    expect(bookCharge(once.ledger, { ceiling, charged: price, price })).toMatchObject({ reason: "not_in_flight" });
  });
});

/** One step of a run: a new request, or the request at some place in a queue moves on. */
type Step =
  | { do: "ask"; maximum: number }
  | { do: "finish"; at: number; percent: number }
  | { do: "abandon"; at: number }
  | { do: "deliver"; at: number };
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant("ask" as const), maximum: fc.integer({ min: 1, max: 1000 }) }),
  fc.record({ do: fc.constant("finish" as const), at: fc.nat(), percent: fc.integer({ min: 0, max: 100 }) }),
  fc.record({ do: fc.constant("abandon" as const), at: fc.nat() }),
  fc.record({ do: fc.constant("deliver" as const), at: fc.nat() }),
);
type Message = { ceiling: BaseUnits; price: BaseUnits; charged: BaseUnits | "none" };

/** Payer and payee play honestly; answers finish and arrive in any order. Returns both ledgers when all is delivered. */
function playHonestly(steps: readonly Step[]) {
  let payerSide = openPayerLedger();
  let payeeSide = openPayeeLedger();
  const working: { ceiling: BaseUnits; maximum: BaseUnits }[] = [];
  const onTheWay: Message[] = [];
  let bestCharged = 0n;
  let paid = 0n;

  const finish = (at: number, percent: number) => {
    const [request] = working.splice(at % working.length, 1);
    if (!request) return;
    const price = mulDivDown(request.maximum, BigInt(percent), 100n);
    const { ledger, charged } = chargeAnswer(payeeSide, { ceiling: request.ceiling, price });
    payeeSide = ledger;
    onTheWay.push({ ceiling: request.ceiling, price, charged });
  };
  const deliver = (at: number) => {
    const [message] = onTheWay.splice(at % onTheWay.length, 1);
    if (!message) return;
    const { ceiling, price, charged } = message;
    if (charged === "none") {
      payerSide = closeWithoutAnswer(payerSide, ceiling);
      return;
    }
    const verdict = bookCharge(payerSide, { ceiling, charged, price });
    if (verdict.status === "refused")
      throw new Error(
        `an honest answer was refused: ${JSON.stringify(verdict, (_, v) => (typeof v === "bigint" ? `${v}` : v))}`,
      );
    payerSide = verdict.ledger;
    paid += price;
    if (charged > bestCharged) bestCharged = charged;
  };

  for (const move of steps) {
    if (move.do === "ask") {
      const maximum = baseUnits(BigInt(move.maximum));
      const { ledger, ceiling } = putInFlight(payerSide, maximum);
      const verdict = takeVoucher(payeeSide, aVoucher(ceiling), {
        ...aContext,
        maximum,
        deposit: baseUnits(1n << 80n),
      });
      if (verdict.status === "refused") throw new Error(`an honest voucher was refused: ${verdict.reason}`);
      payerSide = ledger;
      payeeSide = verdict.ledger;
      working.push({ ceiling, maximum });
    } else if (move.do === "finish" && working.length) finish(move.at, move.percent);
    else if (move.do === "abandon" && working.length) {
      const [request] = working.splice(move.at % working.length, 1);
      if (!request) continue;
      payeeSide = closeReserved(payeeSide, request.ceiling);
      onTheWay.push({ ceiling: request.ceiling, price: baseUnits(0n), charged: "none" });
    } else if (move.do === "deliver" && onTheWay.length) deliver(move.at);
  }
  while (working.length) finish(0, 100);
  while (onTheWay.length) deliver(0);
  return { payerSide, payeeSide, bestCharged, paid };
}

describe("an honest payer and an honest payee", () => {
  it("never refuse each other, agree on the total, and nobody can redeem more than it, in any order of events", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const { payerSide, payeeSide, bestCharged, paid } = playHonestly(steps);
        expect(payerSide.sum).toBe(paid);
        expect(payeeSide.charged).toBe(paid);
        expect(bestCharged <= paid).toBe(true);
        expect(payerSide.inFlight).toEqual([]);
        expect(payeeSide.reserved).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it("clip a total above the ceiling of a slow first request", () => {
    const { payerSide } = playHonestly([
      { do: "ask", maximum: 100 },
      { do: "ask", maximum: 100 },
      { do: "finish", at: 1, percent: 90 },
      { do: "finish", at: 0, percent: 80 },
      { do: "deliver", at: 1 },
      { do: "deliver", at: 0 },
    ]);
    expect(payerSide).toMatchObject({ sum: 170n, largestCharged: 100n });
  });
});

it("a payee that adds one base unit to any last total is caught", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 10 }), (prices) => {
      let ledger = openPayerLedger();
      let total = 0n;
      for (const [i, price] of prices.entries()) {
        const next = putInFlight(ledger, baseUnits(1000n));
        total += BigInt(price);
        const lie = i === prices.length - 1 ? 1n : 0n;
        const verdict = bookCharge(next.ledger, {
          ceiling: next.ceiling,
          charged: baseUnits(total + lie),
          price: baseUnits(BigInt(price)),
        });
        expect(verdict.status).toBe(lie ? "refused" : "accepted");
        if (verdict.status === "accepted") ledger = verdict.ledger;
      }
    }),
  );
});
