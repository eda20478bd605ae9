import {
  type AssetId,
  type Assurance,
  type BaseUnits,
  baseUnits,
  defaultCap,
  FoldmarkError,
  type Hash,
  type PriceCap,
  type Prices,
  type RoutingRecord,
  rankProviders,
  routingKey,
} from "@foldmark/protocol";
import type { Address } from "viem";
import type { Market } from "../market/market.ts";

/** What of a request the order of providers depends on. */
export type RouteRequest = {
  asset: AssetId;
  bodyHash: Hash;
  account: Hash;
  assurance: Assurance;
  /** What the caller pays at most, price by price; without it 4 x the median offer. */
  cap?: PriceCap | undefined;
};

/** Providers in the order in which they have to be asked, and the record from which anybody computes it again. */
export type Route = {
  order: { provider: Address; prices: Prices }[];
  record: Omit<RoutingRecord, "skipped">;
  ineligible: { provider: Address; reason: string }[];
};

/** @throws `provider.none` with each provider's reason where nobody is eligible, `price.above_cap` where only the cap excludes them */
export async function routeRequest(request: RouteRequest, market: Market): Promise<Route> {
  const { asset, bodyHash, account, assurance } = request;
  const { stateBlock, keyBlock, candidates } = await market.state(asset);
  const { penalty } = market.terms;
  const cap = request.cap ?? defaultCap(candidates, { assurance, penalty });
  const rules = { assurance, cap, penalty };
  const key = routingKey({ bodyHash, account, keyBlockHash: keyBlock.hash });
  const { order, ineligible } = rankProviders(candidates, { key, rules });
  if (order.length === 0) throw nobody(ineligible);
  const pricesOf = new Map(candidates.map(({ provider, prices }) => [provider, prices]));
  return {
    order: order.flatMap(({ provider }) => {
      const prices = pricesOf.get(provider);
      return prices ? [{ provider, prices }] : [];
    }),
    record: { account, keyBlock, stateBlock, rules, candidates },
    ineligible,
  };
}

/** The most that any provider of a route may charge. */
export function highestMaximum({ order }: Route, maximumAt: (prices: Prices) => BaseUnits): BaseUnits {
  return order.reduce((most, { prices }) => {
    const maximum = maximumAt(prices);
    if (maximum > most) return maximum;
    return most;
  }, baseUnits(0n));
}

function nobody(ineligible: { provider: Address; reason: string }[]): FoldmarkError {
  const details = { providers: ineligible };
  if (ineligible.length === 0) return new FoldmarkError("provider.none", "No provider offers this model.", { details });
  if (ineligible.every(({ reason }) => reason === "price"))
    return new FoldmarkError("price.above_cap", "Every offer of this model is above the price cap.", {
      details,
      hint: "Raise x-foldmark-max-price.",
    });
  const reasons = ineligible.map(({ provider, reason }) => `${provider}: ${reason}`).join(", ");
  return new FoldmarkError("provider.none", `No provider of this model is eligible (${reasons}).`, { details });
}
