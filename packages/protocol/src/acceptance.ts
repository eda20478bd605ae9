import type { Address } from "viem";
import type { Answer } from "./answer.ts";
import type { ChainSeconds } from "./chainTime.ts";
import { type ChannelId, isSameAddress, type StatementId } from "./ids.ts";
import { type BaseUnits, baseUnits } from "./money.ts";
import { bookCharge, type PayerLedger } from "./payerLedger.ts";

/** Stake that an eligible provider holds besides what is unbonding, in penalties. */
export const STAKE_PENALTIES = 8n;

/** A payee's stake as the contract stores it; `amount` includes `unbonding`. */
export type StakeState = { amount: BaseUnits; unbonding: BaseUnits };

/** Constants of the deployed market: unix seconds, and the penalty of a conviction in base units. */
export type CourtTerms = { windowSeconds: bigint; holdSeconds: bigint; penalty: BaseUnits };

/** What counts as stake: never what is unbonding. */
export function boundStake({ amount, unbonding }: StakeState): BaseUnits {
  return baseUnits(amount > unbonding ? amount - unbonding : 0n);
}

export function hasEnoughStake(stake: StakeState, penalty: BaseUnits): boolean {
  return boundStake(stake) >= STAKE_PENALTIES * penalty;
}

/**
 * Whether an Answer with this `until` binds the payee when its signer's `answerableUntil` is this. 0 means that the key
 * never was the payee's, which no `until` may reach.
 */
export function answersFor({ until, answerableUntil }: { until: bigint; answerableUntil: bigint }): boolean {
  return answerableUntil > 0n && until <= answerableUntil;
}

export type AnswerRefusal =
  | { reason: "wrong_payee"; got: Address; expected: Address }
  | { reason: "wrong_channel"; got: ChannelId; expected: ChannelId }
  | { reason: "wrong_ceiling"; got: BaseUnits; expected: BaseUnits }
  | { reason: "wrong_statement"; got: StatementId; expected: StatementId }
  | { reason: "key_not_answerable"; key: Address; until: bigint; answerableUntil: bigint }
  | { reason: "until_too_soon"; until: bigint; earliest: bigint }
  | { reason: "until_too_late"; until: bigint; latest: bigint }
  | { reason: "stake_too_low"; stake: BaseUnits; needed: BaseUnits }
  | { reason: "not_in_flight"; charged: BaseUnits; allowed: BaseUnits }
  | { reason: "charge_above_ceiling"; charged: BaseUnits; allowed: BaseUnits }
  | { reason: "overcharged"; charged: BaseUnits; allowed: BaseUnits };

export type AnswerVerdict = { status: "accepted"; ledger: PayerLedger } | ({ status: "refused" } & AnswerRefusal);

export type AnswerContext = {
  /** The voucher that was sent. */
  payee: Address;
  channelId: ChannelId;
  ceiling: BaseUnits;
  /** Computed by the payer from its own request tensors and the tokens it received. */
  statementId: StatementId;
  /** Price x usage of this answer, by the prices that the request quoted. */
  price: BaseUnits;
  /** The key recovered from the signature, and the contract's `answerableUntil(payee, key)`: 0 for a key that never was one. */
  key: Address;
  answerableUntil: bigint;
  stake: StakeState;
  terms: CourtTerms;
  now: ChainSeconds;
  ledger: PayerLedger;
};

/**
 * A payer's one rule for taking an answer. What is refused is no answer: it is not paid again and not shown as exact.
 * Every check concerns something that can be punished later, or that decides who pays what.
 */
export function acceptAnswer(answer: Answer, context: AnswerContext): AnswerVerdict {
  const { payee, channelId, ceiling, statementId, price, key, answerableUntil, stake, terms, now, ledger } = context;
  const refused = (refusal: AnswerRefusal): AnswerVerdict => ({ status: "refused", ...refusal });

  if (!isSameAddress(answer.payee, payee))
    return refused({ reason: "wrong_payee", got: answer.payee, expected: payee });
  if (answer.channelId !== channelId)
    return refused({ reason: "wrong_channel", got: answer.channelId, expected: channelId });
  if (answer.maxClaimableAmount !== ceiling)
    return refused({ reason: "wrong_ceiling", got: answer.maxClaimableAmount, expected: ceiling });
  if (answer.statementId !== statementId)
    return refused({ reason: "wrong_statement", got: answer.statementId, expected: statementId });

  const { until } = answer;
  if (!answersFor({ until, answerableUntil }))
    return refused({ reason: "key_not_answerable", key, until, answerableUntil });
  const earliest = now + terms.windowSeconds;
  if (until < earliest) return refused({ reason: "until_too_soon", until, earliest });
  const latest = now + terms.holdSeconds;
  if (until > latest) return refused({ reason: "until_too_late", until, latest });

  if (!hasEnoughStake(stake, terms.penalty))
    return refused({
      reason: "stake_too_low",
      stake: boundStake(stake),
      needed: baseUnits(STAKE_PENALTIES * terms.penalty),
    });

  const { charged } = answer;
  const verdict = bookCharge(ledger, { ceiling, charged, price });
  if (verdict.status === "refused") return refused({ reason: verdict.reason, charged, allowed: verdict.allowed });
  return verdict;
}
