import { type BaseUnits, baseUnits, ZERO } from "./money.ts";

/** What a payer knows of one channel. Plain data: store it before the voucher that it led to is sent. */
export type PayerLedger = {
  /** Sum of price x usage over accepted answers, from where the channel was taken up. */
  sum: BaseUnits;
  /** Largest `charged` among accepted answers. */
  largestCharged: BaseUnits;
  /** Ceiling of the last voucher that was signed; ceilings rise strictly. */
  lastCeiling: BaseUnits;
  /** Requests whose voucher is out and that are neither answered nor known to end without an answer. */
  inFlight: readonly { ceiling: BaseUnits; maximum: BaseUnits }[];
};

/** A channel without records starts from what has been redeemed on chain (0 for a new one), and signs above the
 * last voucher of its own that the payee can show. */
export function openPayerLedger({
  redeemed = ZERO,
  lastCeiling = redeemed,
}: {
  redeemed?: BaseUnits;
  lastCeiling?: BaseUnits;
} = {}): PayerLedger {
  return { sum: redeemed, largestCharged: redeemed, lastCeiling, inFlight: [] };
}

/**
 * Puts a request in flight: the ceiling of its voucher covers all accepted answers, all requests in flight, and this
 * request's maximum, and lies above every ceiling before it.
 */
export function putInFlight(ledger: PayerLedger, maximum: BaseUnits): { ledger: PayerLedger; ceiling: BaseUnits } {
  const needed = ledger.sum + maximaInFlight(ledger) + maximum;
  const ceiling = baseUnits(needed > ledger.lastCeiling ? needed : ledger.lastCeiling + 1n);
  return {
    ceiling,
    ledger: { ...ledger, lastCeiling: ceiling, inFlight: [...ledger.inFlight, { ceiling, maximum }] },
  };
}

/**
 * A request that ended with nothing signed under its ceiling. Only for what the payee has said is final (`none`) or what
 * never reached it: an Answer that turns up later would no longer fit the sum.
 */
export function closeWithoutAnswer(ledger: PayerLedger, ceiling: BaseUnits): PayerLedger {
  return { ...ledger, inFlight: ledger.inFlight.filter((request) => request.ceiling !== ceiling) };
}

export type ChargeVerdict =
  | { status: "accepted"; ledger: PayerLedger }
  | { status: "refused"; reason: "not_in_flight" | "charge_above_ceiling" | "overcharged"; allowed: BaseUnits };

/**
 * Books one answer. `charged` is the payee's running total, which may hold answers that the payer has not seen yet, so it
 * is bounded by the sum with this answer and the maxima still in flight; when nothing is in flight, the largest total ever
 * seen must be covered by the sum alone. Less is never a mismatch: a clipped or overtaken Answer is honest.
 * @param price - price x usage of this answer, as the payer computes it
 */
export function bookCharge(
  ledger: PayerLedger,
  { ceiling, charged, price }: { ceiling: BaseUnits; charged: BaseUnits; price: BaseUnits },
): ChargeVerdict {
  if (!ledger.inFlight.some((request) => request.ceiling === ceiling))
    return { status: "refused", reason: "not_in_flight", allowed: ZERO };
  const rest = closeWithoutAnswer(ledger, ceiling);
  const sum = baseUnits(ledger.sum + price);
  const largestCharged = charged > ledger.largestCharged ? charged : ledger.largestCharged;
  const allowed = baseUnits(sum + maximaInFlight(rest));
  if (charged > ceiling) return { status: "refused", reason: "charge_above_ceiling", allowed: ceiling };
  if (charged > allowed) return { status: "refused", reason: "overcharged", allowed };
  if (rest.inFlight.length === 0 && largestCharged > sum)
    return { status: "refused", reason: "overcharged", allowed: sum };
  return { status: "accepted", ledger: { ...rest, sum, largestCharged } };
}

function maximaInFlight({ inFlight }: PayerLedger): bigint {
  return inFlight.reduce((total, { maximum }) => total + maximum, 0n);
}
