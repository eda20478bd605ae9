import { describe, expect, it } from "vitest";
import {
  type AnswerContext,
  acceptAnswer,
  baseUnits,
  chainNow,
  confirmedBlock,
  openPayerLedger,
  putInFlight,
  toChannelId,
  toStatementId,
  untilOf,
} from "../src/index.ts";

const payee = "0x2000000000000000000000000000000000000002";
const stranger = "0x3000000000000000000000000000000000000003";
const terms = { windowSeconds: 600n, holdSeconds: 1200n, penalty: baseUnits(10n) };
const now = 1_000_000n;
const { ledger, ceiling } = putInFlight(openPayerLedger(), baseUnits(100n));
const channelId = toChannelId(`0x${"01".repeat(32)}`);
const statementId = toStatementId(`0x${"02".repeat(32)}`);
const max = (1n << 40n) - 1n;
const aContext: AnswerContext = {
  payee,
  channelId,
  ceiling,
  statementId,
  price: baseUnits(40n),
  key: payee,
  answerableUntil: max,
  stake: { amount: baseUnits(90n), unbonding: baseUnits(10n) },
  terms,
  now,
  ledger,
};
const anAnswer = {
  payee,
  statementId,
  channelId,
  maxClaimableAmount: ceiling,
  charged: baseUnits(40n),
  until: untilOf({ now, windowSeconds: 600n }),
} as const;

describe("acceptAnswer", () => {
  it("accepts what an honest payee signs, and books its price", () => {
    expect(acceptAnswer(anAnswer, aContext)).toMatchObject({ status: "accepted", ledger: { sum: 40n, inFlight: [] } });
  });
  it.each([
    { reason: "wrong_payee", answer: { payee: stranger } as const, context: {} },
    { reason: "wrong_channel", answer: { channelId: toChannelId(statementId) }, context: {} },
    { reason: "wrong_ceiling", answer: { maxClaimableAmount: baseUnits(99n) }, context: {} },
    { reason: "wrong_statement", answer: { statementId: toStatementId(channelId) }, context: {} },
    { reason: "key_not_answerable", answer: {}, context: { answerableUntil: anAnswer.until - 1n } },
    { reason: "key_not_answerable", answer: {}, context: { answerableUntil: 0n } },
    { reason: "key_not_answerable", answer: { until: 0n }, context: { answerableUntil: 0n } },
    { reason: "until_too_soon", answer: { until: now + 599n }, context: {} },
    { reason: "until_too_late", answer: { until: now + 1201n }, context: {} },
    { reason: "stake_too_low", answer: {}, context: { stake: { amount: baseUnits(90n), unbonding: baseUnits(11n) } } },
    { reason: "stake_too_low", answer: {}, context: { stake: { amount: baseUnits(9n), unbonding: baseUnits(11n) } } },
    { reason: "charge_above_ceiling", answer: { charged: baseUnits(101n) }, context: {} },
    { reason: "overcharged", answer: { charged: baseUnits(41n) }, context: {} },
    { reason: "not_in_flight", answer: {}, context: { ledger: openPayerLedger() } },
  ])("refuses: $reason", ({ reason, answer, context }) => {
    expect(acceptAnswer({ ...anAnswer, ...answer }, { ...aContext, ...context })).toMatchObject({
      status: "refused",
      reason,
    });
  });
  it.each([
    { behaviour: "the first second of the window", until: now + 600n, answerableUntil: max },
    { behaviour: "the last second of the hold", until: now + 1200n, answerableUntil: max },
    { behaviour: "a withdrawn key up to its last second", until: anAnswer.until, answerableUntil: anAnswer.until },
  ])("accepts $behaviour", ({ until, answerableUntil }) => {
    expect(acceptAnswer({ ...anAnswer, until }, { ...aContext, answerableUntil }).status).toBe("accepted");
  });
});

describe("chain time", () => {
  it("is the later of block and clock", () => {
    expect(chainNow({ latestBlockTimestamp: 100n, ownClockMs: 99_999 })).toBe(100n);
    expect(chainNow({ latestBlockTimestamp: 100n, ownClockMs: 101_999 })).toBe(101n);
  });
  it.each([
    { head: 10n, confirmations: 1, block: 10n },
    { head: 10n, confirmations: 4, block: 7n },
    { head: 2n, confirmations: 12, block: 0n },
  ])("block $block has $confirmations confirmations under head $head", ({ head, confirmations, block }) => {
    expect(confirmedBlock({ head, confirmations })).toBe(block);
  });
});
