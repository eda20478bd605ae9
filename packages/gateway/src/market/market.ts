import type { AssetId, Candidate, ChainSeconds, CourtTerms, Hash, ModelId, StakeState } from "@foldmark/protocol";
import type { Address } from "viem";

/** A registered model as the chain's events tell it. */
export type RegisteredModel = {
  asset: AssetId;
  modelId: ModelId;
  packageHash: Hash;
  owner: Address;
  block: bigint;
};

/** Everything that routing reads, at one block. */
export type MarketState = {
  stateBlock: { number: bigint; hash: Hash };
  keyBlock: { number: bigint; hash: Hash; timestamp: bigint };
  candidates: Candidate[];
};

/** The market as this gateway sees it: derived from the chain's events alone. */
export type Market = {
  terms: CourtTerms;
  /** What a name of a client stands for: an alias, resolved once at the indexed head, or an asset id. */
  resolve(name: string): { model: RegisteredModel; alias?: { name: string; block: bigint } } | undefined;
  models(): RegisteredModel[];
  /** The alias that names an asset, if there is one. */
  aliasOf(asset: AssetId): string | undefined;
  /** Providers with an offer for the asset, and the blocks that routing is computed from. */
  state(asset: AssetId): Promise<MarketState>;
  endpointOf(provider: Address): string | undefined;
  /** Until when (unix seconds) a key's signatures bind a payee; 0 for one that never did. */
  answerableUntil(payee: Address, key: Address): bigint;
  stakeOf(payee: Address): StakeState;
  chainNow(): ChainSeconds;
  /** Unix seconds of a block. */
  timeOf(block: bigint): Promise<number>;
  /** Reads the chain's newest events now. */
  refresh(): Promise<void>;
  /** The indexed head; undefined before the first block is read. */
  head(): { number: bigint; timestamp: bigint } | undefined;
};
