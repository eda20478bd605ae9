import { type Address, concat, type Hex, numberToHex, pad, sha256 } from "viem";
import { boundStake, STAKE_PENALTIES, type StakeState } from "./acceptance.ts";
import { confirmedBlock } from "./chainTime.ts";
import { type Hash, toHash } from "./ids.ts";
import { type BaseUnits, baseUnits, MAX_BASE_UNITS } from "./money.ts";
import type { Assurance } from "./providerProtocol.ts";

export const MAX_WEIGHT = 16n;
/** Routing keys hash a block whose number is a multiple of this, so that no gateway can choose among blocks. */
export const KEY_BLOCK_INTERVAL = 64n;
/** How long Convicted and Overcharged events count against a provider. */
export const CONDUCT_SECONDS = 30n * 24n * 60n * 60n;
/** A request without a price cap of its own pays at most this many times the median offer. */
export const DEFAULT_CAP_MEDIANS = 4n;
/** No offer above this is taken at any cap: more than there is of the token, and small enough to multiply by any count. */
export const MAX_PRICE = baseUnits((1n << 96n) - 1n);
const NO_CAP: PriceCap = { in: MAX_PRICE, out: MAX_PRICE, unit: MAX_PRICE };
const KEY_STALE_BLOCKS = 2n * KEY_BLOCK_INTERVAL;
const KEY_STALE_SECONDS = 15n * 60n;

/** One provider's offer of the model, with what the chain says of it at the state block. */
export type Candidate = {
  provider: Address;
  assurance: Assurance;
  isPaused: boolean;
  /** Base units for 10^6 prompt tokens, answer tokens, units of work. */
  prices: { in: BaseUnits; out: BaseUnits; unit: BaseUnits };
  stake: StakeState;
  /** Convicted and Overcharged events of the last 30 days before the state block. */
  conductEvents: number;
};

export type PriceCap = { in: BaseUnits; out: BaseUnits; unit: BaseUnits };

export type RoutingRules = {
  /** The class that the caller wants. */
  assurance: Assurance;
  cap: PriceCap;
  /** P, the penalty of a conviction. */
  penalty: BaseUnits;
};

/** Why the chain's own data excludes a provider. A gateway's claims about health are a separate list. */
export type Ineligibility = "paused" | "assurance" | "price" | "stake" | "conduct";
export type Ranked = { provider: Address; weight: number; score: Hash };
export type Ranking = { order: Ranked[]; ineligible: { provider: Address; reason: Ineligibility }[] };

/**
 * Orders the candidates by weighted rendezvous hashing, highest score first. Depends on nothing but its arguments: whoever
 * has a receipt computes the same order.
 */
export function rankProviders(
  candidates: readonly Candidate[],
  { key, rules }: { key: Hash; rules: RoutingRules },
): Ranking {
  const ranking: Ranking = { order: [], ineligible: [] };
  for (const candidate of candidates) {
    const reason = ineligibility(candidate, rules);
    if (reason) ranking.ineligible.push({ provider: candidate.provider, reason });
    else {
      const weight = weightOf(candidate, rules.penalty);
      ranking.order.push({ provider: candidate.provider, weight, score: scoreOf(key, candidate.provider, weight) });
    }
  }
  // equal length and case: text order is number order
  ranking.order.sort((a, b) => (a.score === b.score ? 0 : a.score < b.score ? 1 : -1));
  return ranking;
}

/** The first reason for which the chain's data excludes a candidate, or undefined. */
export function ineligibility(
  candidate: Candidate,
  { assurance, cap, penalty }: RoutingRules,
): Ineligibility | undefined {
  const { prices } = candidate;
  if (candidate.isPaused) return "paused";
  if (candidate.assurance !== assurance) return "assurance";
  if (isAbove(prices, cap) || isAbove(prices, NO_CAP)) return "price";
  if (boundStake(candidate.stake) < STAKE_PENALTIES * penalty) return "stake";
  if (weightOf(candidate, penalty) === 0) return "conduct";
  return undefined;
}

function isAbove(prices: PriceCap, cap: PriceCap): boolean {
  return prices.in > cap.in || prices.out > cap.out || prices.unit > cap.unit;
}

/** w = min(16, floor(stake / 8P)) >> conduct events; 0 is not eligible. A penalty of 0 gives every provider the same weight. */
export function weightOf(
  { stake, conductEvents }: Pick<Candidate, "stake" | "conductEvents">,
  penalty: BaseUnits,
): number {
  const unit = STAKE_PENALTIES * penalty;
  const full = unit === 0n ? MAX_WEIGHT : boundStake(stake) / unit;
  return Number((full < MAX_WEIGHT ? full : MAX_WEIGHT) >> BigInt(conductEvents));
}

/** max over i < weight of SHA-256(key || provider || u8 i). */
export function scoreOf(key: Hash, provider: Address, weight: number): Hash {
  let best = `0x${"0".repeat(64)}` as Hash;
  for (let i = 0; i < weight; i++) {
    const score = toHash(sha256(concat([key, provider, numberToHex(i, { size: 1 })])));
    if (score > best) best = score;
  }
  return best;
}

/** key = SHA-256(bodyHash || account || keyBlockHash). */
export function routingKey({
  bodyHash,
  account,
  keyBlockHash,
}: {
  bodyHash: Hash;
  account: Hash;
  keyBlockHash: Hash;
}): Hash {
  return toHash(sha256(concat([bodyHash, account, keyBlockHash])));
}

/** `account` of a caller with an API key: SHA-256 of the key's text. */
export function accountOfApiKey(apiKey: string): Hash {
  return toHash(sha256(new TextEncoder().encode(apiKey)));
}

/** `account` of a caller that pays by itself: its address, left-padded. */
export function accountOfPayer(payer: Address): Hash {
  return toHash(pad(payer, { size: 32 }));
}

/** SHA-256 of the client's body exactly as received. */
export function bodyHashOf(body: Uint8Array | Hex): Hash {
  return toHash(sha256(body));
}

/** Number of the key block: the last multiple of 64 that is k deep (0 on a young chain). */
export function keyBlockNumber({ head, confirmations }: { head: bigint; confirmations: number }): bigint {
  const deep = confirmedBlock({ head, confirmations });
  return deep - (deep % KEY_BLOCK_INTERVAL);
}

/**
 * Whether a gateway held a request back until it liked the key: at the time of signing (`until` - WINDOW) both two further
 * multiples of 64 and 15 minutes had passed since the key block.
 */
export function isKeyBlockStale({
  keyBlock,
  signedAt,
  headAtSigning,
}: {
  keyBlock: { number: bigint; timestamp: bigint };
  signedAt: bigint;
  headAtSigning: bigint;
}): boolean {
  return headAtSigning >= keyBlock.number + KEY_STALE_BLOCKS && signedAt >= keyBlock.timestamp + KEY_STALE_SECONDS;
}

/**
 * The cap of a request that names none: 4 x the lower median, for each price by itself, of the offers that would be
 * eligible at any price. An offer costs its maker only gas: without a stake behind it, many cheap ones would push the cap
 * below every honest price. Where nobody is eligible, all offers count.
 */
export function defaultCap(
  candidates: readonly Candidate[],
  { assurance, penalty }: Pick<RoutingRules, "assurance" | "penalty">,
): PriceCap {
  const eligible = candidates.filter((candidate) => !ineligibility(candidate, { assurance, penalty, cap: NO_CAP }));
  const offers = eligible.length > 0 ? eligible : candidates;
  const capOf = (price: keyof PriceCap): BaseUnits => {
    const sorted = offers.map(({ prices }) => prices[price]).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    const cap = (sorted[(sorted.length - 1) >> 1] ?? 0n) * DEFAULT_CAP_MEDIANS;
    return baseUnits(cap < MAX_BASE_UNITS ? cap : MAX_BASE_UNITS);
  };
  return { in: capOf("in"), out: capOf("out"), unit: capOf("unit") };
}
