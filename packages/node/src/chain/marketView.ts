import type { AssetId, BaseUnits, ChainSeconds, ChannelId, Prices } from "@foldmark/protocol";
import type { Address } from "viem";

/** Constants of the deployed market. */
export type MarketTerms = {
  token: Address;
  windowSeconds: bigint;
  clocksSeconds: bigint;
  noticeSeconds: bigint;
  penalty: BaseUnits;
};

/** The money of a channel: the deposit at the node's confirmations, exits and redemptions at none. */
export type ChannelFunds = { deposit: BaseUnits; pendingExit: BaseUnits; redeemed: BaseUnits };

/** What serving needs to know of the chain. */
export type MarketView = {
  readonly terms: MarketTerms;
  /** The time that the contracts will see next. */
  now(): ChainSeconds;
  /** What this node has published for an asset; `undefined` when it offers none. */
  prices(asset: AssetId): Prices | undefined;
  /** How many requests for an asset this node has said it works on at a time; 0 where it offers none. */
  capacity(asset: AssetId): number;
  /** Whether the stake, without what is unbonding, still answers for a new request. */
  hasStake(): boolean;
  /**
   * A channel's money; all zero for one that does not exist. Read anew when what is remembered is old, or does not cover
   * `atLeast`.
   * @throws `chain.unreachable`
   */
  channel(channelId: ChannelId, options: { atLeast: BaseUnits }): Promise<ChannelFunds>;
};
