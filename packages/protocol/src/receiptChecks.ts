import type { Address } from "viem";
import { isSameAddress } from "./ids.ts";
import { type BaseUnits, priceOfAnswer, priceOfWork } from "./money.ts";
import type { Receipt, ReceiptContent } from "./receipt.ts";
import { isKeyBlockStale, rankProviders, routingKey } from "./routing.ts";

export type RoutingCheck =
  | { status: "ok"; rank: number }
  | { status: "not_a_candidate"; provider: Address }
  | { status: "ineligible"; provider: Address; reason: string }
  | { status: "prices_differ"; provider: Address }
  | { status: "passed_over"; provider: Address; chosen: Address };

/**
 * Recomputes the order of providers from the receipt's own inputs: every provider before the one that answered must be
 * listed as skipped. That the inputs are the chain's is checked against the chain, not here.
 */
export function checkRouting(receipt: ReceiptContent | Receipt): RoutingCheck {
  const { routing, bodyHash, answer } = receipt;
  const key = routingKey({ bodyHash, account: routing.account, keyBlockHash: routing.keyBlock.hash });
  const { order, ineligible } = rankProviders(routing.candidates, { key, rules: routing.rules });
  const chosen = answer.payee;
  const isChosen = ({ provider }: { provider: Address }) => isSameAddress(provider, chosen);

  const excluded = ineligible.find(isChosen);
  if (excluded) return { status: "ineligible", provider: chosen, reason: excluded.reason };
  const rank = order.findIndex(isChosen);
  const candidate = routing.candidates.find(isChosen);
  if (rank < 0 || !candidate) return { status: "not_a_candidate", provider: chosen };
  const { in: priceIn, out, unit } = candidate.prices;
  if (receipt.prices.in !== priceIn || receipt.prices.out !== out || receipt.prices.unit !== unit)
    return { status: "prices_differ", provider: chosen };
  const passedOver = order
    .slice(0, rank)
    .find(({ provider }) => !routing.skipped.some((skip) => isSameAddress(skip.provider, provider)));
  return passedOver ? { status: "passed_over", provider: passedOver.provider, chosen } : { status: "ok", rank };
}

/** What the answer costs by the receipt's prices and usage. */
export function priceOfReceipt({ kind, prices, usage, preimage }: ReceiptContent | Receipt): BaseUnits {
  if (kind === "simulation") return priceOfWork({ units: preimage.T, priceUnit: prices.unit });
  return priceOfAnswer({ ...usage, priceIn: prices.in, priceOut: prices.out });
}

/** Whether the key was too old when the answer was signed. @param headAtSigning - number of the chain's head at `until` - WINDOW */
export function hasStaleKey(
  { routing, answer }: ReceiptContent | Receipt,
  { windowSeconds, headAtSigning }: { windowSeconds: bigint; headAtSigning: bigint },
): boolean {
  return isKeyBlockStale({ keyBlock: routing.keyBlock, signedAt: answer.until - windowSeconds, headAtSigning });
}
