import { type BaseUnits, mulDivUp } from "@foldmark/protocol";
import type { Claim } from "../store/ledger.ts";

/** Gas of one redemption of n rows, a little above what was measured: the rule needs an upper bound. */
const GAS_BASE = 60_000n;
const GAS_PER_ROW = 25_000n;
/** Rows of one transaction. */
export const MAX_ROWS = 50;
/** A redemption is worth it when a hundredth of what it brings is more than its gas. */
const GAS_SHARE = 100n;

/** What one row of a batch costs, in the settlement token. `nativePrice`: base units for 10^18 wei. */
export function gasOfRow({
  rows,
  gasPrice,
  nativePrice,
}: {
  rows: number;
  gasPrice: bigint;
  nativePrice: BaseUnits;
}): BaseUnits {
  const batch = BigInt(Math.min(Math.max(rows, 1), MAX_ROWS));
  return mulDivUp((GAS_BASE / batch + GAS_PER_ROW) * gasPrice, nativePrice, 10n ** 18n);
}

export type DueOptions = {
  /** What this claim's row would cost. */
  gas: BaseUnits;
  /** Unix seconds, chain time. */
  now: bigint;
  noticeSeconds: bigint;
  /** The payer has asked for its deposit. */
  isLeaving: boolean;
};

/** Whether a claim goes to the chain now: it is worth its gas, its payer leaves, or half the notice has passed. */
export function isDue(
  { amount, redeemed, owingSince }: Claim,
  { gas, now, noticeSeconds, isLeaving }: DueOptions,
): boolean {
  if (amount <= redeemed) return false;
  return isLeaving || now - BigInt(owingSince) > noticeSeconds / 2n || amount - redeemed > gas * GAS_SHARE;
}
