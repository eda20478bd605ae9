import {
  type AssetId,
  assetIdSchema,
  type Candidate,
  CONDUCT_SECONDS,
  FoldmarkError,
  isSameAddress,
  type Mode,
  type StakeState,
  toAddress,
  ZERO,
} from "@foldmark/protocol";
import type { Address, Hex } from "viem";
import type { MarketEvent } from "./marketEvents.ts";
import {
  type AssetState,
  applyMarketEvent,
  type DisputeState,
  EMPTY_MARKET,
  type Hardware,
  type MarketState,
  operatorKey,
  type ProviderState,
} from "./marketState.ts";
import type { BlockRef, Projection } from "./projection.ts";

/** `answerableUntil` of a payee itself and of its present operators: the largest uint40. */
export const ANSWERABLE_FOREVER = (1n << 40n) - 1n;

/** One provider's offer of a model: what routing looks at, and how to reach it. */
export type MarketOffer = { candidate: Candidate; endpoint: string; hardware: Hardware; mode: Mode; capacity: number };

/** A model as a request named it: an asset id, or an alias as of the view's head. */
export type ResolvedModel = { asset: AssetState; alias: { name: string; block: bigint } | undefined };

/**
 * The market in memory, as of `head`. Feed it by an `Indexer`; everything is rebuilt from the deployment's first block.
 * Every method answers from one and the same block.
 */
export class MarketView implements Projection {
  readonly #reorgDepth: number;
  /** States by block, oldest first; the last is the present one. */
  #history: { block: BlockRef | undefined; state: MarketState }[] = [{ block: undefined, state: EMPTY_MARKET }];

  constructor({ reorgDepth = 128 }: { reorgDepth?: number } = {}) {
    this.#reorgDepth = reorgDepth;
  }

  async apply(block: BlockRef, events: readonly MarketEvent[]): Promise<void> {
    let { state } = this.#present;
    for (const event of events) state = applyMarketEvent(state, event, block);
    this.#history.push({ block, state });
    if (this.#history.length > this.#reorgDepth + 2) this.#history.shift();
  }

  async rollback(to: bigint): Promise<void> {
    while (this.#history.length > 1 && (this.head?.number ?? -1n) > to) this.#history.pop();
    if ((this.head?.number ?? -1n) > to)
      throw new FoldmarkError("chain.reorg_too_deep", `The market's state before block ${to} is not kept.`, {
        details: { to: to.toString() },
      });
  }

  /** The block that every answer refers to; undefined before the first is indexed. */
  get head(): BlockRef | undefined {
    return this.#present.block;
  }

  /** All offers of a model, paused and unstaked ones included: who is eligible is routing's question. */
  offersOf(assetId: AssetId): MarketOffer[] {
    const { state } = this.#present;
    return [...(state.offers.get(assetId)?.values() ?? [])].flatMap(
      ({ provider, prices, assurance, mode, capacity }) => {
        const known = state.providers.get(provider);
        if (!known) return [];
        const { isPaused, endpoint, hardware } = known;
        const stake = this.stakeOf(provider);
        const candidate = {
          provider,
          assurance,
          isPaused,
          prices,
          stake,
          conductEvents: this.conductEventsOf(provider),
        };
        return [{ candidate, endpoint, hardware, mode, capacity }];
      },
    );
  }

  /** @param name - an asset id, or an alias; undefined if it is neither */
  resolve(name: string): ResolvedModel | undefined {
    const { assets, aliases } = this.#present.state;
    const id = assetIdSchema.safeParse(name);
    if (id.success) {
      const asset = assets.get(id.data);
      return asset && { asset, alias: undefined };
    }
    const block = this.head?.number ?? 0n;
    const target = aliases.get(name)?.history.at(-1);
    const asset = target && assets.get(target.assetId);
    return asset && { asset, alias: { name, block } };
  }

  asset(assetId: AssetId): AssetState | undefined {
    return this.#present.state.assets.get(assetId);
  }

  assets(): AssetState[] {
    return [...this.#present.state.assets.values()];
  }

  /** Aliases that point at an asset now. */
  aliasesOf(assetId: AssetId): string[] {
    return [...this.#present.state.aliases.values()]
      .filter(({ history }) => history.at(-1)?.assetId === assetId)
      .map(({ name }) => name);
  }

  provider(address: Address): ProviderState | undefined {
    return this.#present.state.providers.get(toAddress(address));
  }

  providers(): ProviderState[] {
    return [...this.#present.state.providers.values()];
  }

  stakeOf(payee: Address): StakeState {
    return this.#present.state.stakes.get(toAddress(payee)) ?? { amount: ZERO, unbonding: ZERO };
  }

  /** As the contract's view: the last `until` for which a key answers; 0 for one that never was an operator. */
  answerableUntil(payee: Address, key: Address): bigint {
    if (isSameAddress(payee, key)) return ANSWERABLE_FOREVER;
    return this.#present.state.operators.get(operatorKey(payee, key)) ?? 0n;
  }

  /** Events against a payee in the 30 days before `head`. */
  conductEventsOf(payee: Address): number {
    const since = (this.head?.timestamp ?? 0n) - CONDUCT_SECONDS;
    return (this.#present.state.conduct.get(toAddress(payee)) ?? []).filter((time) => time > since).length;
  }

  /** Of an answer, by its digest; undefined for one that nobody has challenged. */
  disputeOf(answerDigest: Hex): DisputeState | undefined {
    return this.#present.state.disputes.get(answerDigest);
  }

  get #present(): { block: BlockRef | undefined; state: MarketState } {
    return this.#history.at(-1) ?? { block: undefined, state: EMPTY_MARKET };
  }
}
