import type { AssetId, BaseUnits, Candidate, Hash } from "@foldmark/protocol";
import type { Address, Hex } from "viem";

/**
 * What a check reads of the chain that a receipt names. Whoever implements it decides which chain and market are the real
 * ones: a receipt only says which it claims.
 */
export type ChainReader = {
  chainId: number;
  /** Address of PaymentChannels. */
  channels: Address;
  /** Constants of the market: WINDOW in seconds, PENALTY in base units. */
  terms: { windowSeconds: bigint; penalty: BaseUnits };
  /** The contract's `answerableUntil(payee, key)`, unix seconds. */
  answerableUntil(payee: Address, key: Address): Promise<bigint>;
  /** The court's `convictedAt(answerDigest)`, unix seconds; 0 for an answer that stands. */
  convictedAt(answerDigest: Hex): Promise<bigint>;
  /** `undefined` for one that does not exist. */
  block(number: bigint): Promise<{ hash: Hash; timestamp: bigint } | undefined>;
  /** Every offer of a model at the end of a block; `undefined` where that state is not kept any more. */
  offers(asset: AssetId, block: bigint): Promise<Omit<Candidate, "conductEvents">[] | undefined>;
  /** What an alias pointed at, at the end of a block; `undefined` for one that nobody had. */
  alias(name: string, block: bigint): Promise<AssetId | undefined>;
};
