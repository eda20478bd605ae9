import {
  type AssetId,
  assetIdToUint,
  baseUnits,
  type ChainSeconds,
  type ChannelId,
  chainNow,
  confirmedBlock,
  FoldmarkError,
  hasEnoughStake,
  type Prices,
  toChannelId,
} from "@foldmark/protocol";
import { paymentChannelsAbi } from "@foldmark/protocol/abi";
import type { Logger } from "@foldmark/service";
import type { Address, Hash } from "viem";
import { lower } from "../money/lower.ts";
import { chainError, type Market, readOffer, readStake } from "./market.ts";
import type { ChannelFunds, MarketTerms, MarketView } from "./marketView.ts";

export type MarketWatchOptions = {
  payee: Address;
  operator: Address;
  assets: readonly AssetId[];
  pollMs: number;
  /** How long known channels are served while the chain does not answer. */
  maxBlindMs: number;
};

export type MarketWatchDeps = { log: Logger; clock: () => number; onExit?: (channelId: ChannelId) => void };

/** Channels that are remembered; those without money make room first, since naming one costs nothing. */
const MOST_CHANNELS = 1_000;
/** How long a channel's money is remembered; exits and redemptions are seen sooner, by their events. */
const REMEMBER_MS = 15_000;

/**
 * Reads what serving needs from the chain again and again: time, offers, stake, whether our key still signs, and events
 * of channels. What it knows may be one poll old.
 */
export class MarketWatch implements MarketView {
  readonly #market: Market;
  readonly #options: MarketWatchOptions;
  readonly #deps: MarketWatchDeps;
  readonly #channels = new Map<ChannelId, { funds: ChannelFunds; readAt: number }>();
  readonly #offers = new Map<AssetId, { prices: Prices; capacity: number }>();
  #timestamp = 0n;
  #head = 0n;
  #headHash: Hash | undefined;
  #isStaked = false;
  #isOperator = false;
  #seenAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #polling: Promise<void> | undefined;

  private constructor(market: Market, options: MarketWatchOptions, deps: MarketWatchDeps) {
    this.#market = market;
    this.#options = options;
    this.#deps = deps;
  }

  /** @throws `chain.unreachable` */
  static async open(market: Market, options: MarketWatchOptions, deps: MarketWatchDeps): Promise<MarketWatch> {
    const watch = new MarketWatch(market, options, deps);
    await watch.refresh();
    watch.#timer = setInterval(() => void watch.#poll(), options.pollMs);
    return watch;
  }

  get terms(): MarketTerms {
    return this.#market.terms;
  }

  /** Whether the key that signs may still sign for the payee. */
  get isOperator(): boolean {
    return this.#isOperator;
  }

  now(): ChainSeconds {
    return chainNow({ latestBlockTimestamp: this.#timestamp, ownClockMs: this.#deps.clock() });
  }

  /** The time of the chain's last block, whatever the own clock says: nothing is deleted by a clock that is wrong. */
  get blockTime(): ChainSeconds {
    return this.#timestamp;
  }

  prices = (asset: AssetId): Prices | undefined => this.#offers.get(asset)?.prices;

  capacity = (asset: AssetId): number => this.#offers.get(asset)?.capacity ?? 0;

  hasStake(): boolean {
    return this.#isStaked;
  }

  async channel(channelId: ChannelId, { atLeast }: { atLeast: bigint }): Promise<ChannelFunds> {
    const now = this.#deps.clock();
    const known = this.#channels.get(channelId);
    const covers = known !== undefined && known.funds.deposit - known.funds.pendingExit >= atLeast;
    if (known && covers && now - known.readAt < REMEMBER_MS) return known.funds;
    try {
      const funds = await this.#readChannel(channelId);
      this.#makeRoom();
      this.#channels.set(channelId, { funds, readAt: now });
      return funds;
    } catch (error) {
      if (known && covers && now - this.#seenAt < this.#options.maxBlindMs) return known.funds;
      throw chainError(error, "read a channel");
    }
  }

  /** Reads everything once more. @throws `chain.unreachable` */
  async refresh(): Promise<void> {
    const { payee, operator, assets } = this.#options;
    const { chain, deployment, terms } = this.#market;
    try {
      const [block, stake, until, ...offers] = await Promise.all([
        chain.client.getBlock(),
        readStake(this.#market, payee),
        chain.client.readContract({
          ...{ address: deployment.contracts.channels, abi: paymentChannelsAbi },
          ...{ functionName: "answerableUntil", args: [payee, operator] },
        }),
        ...assets.map((asset) => readOffer(this.#market, { payee, asset: assetIdToUint(asset) })),
      ]);
      await this.#readEvents(block);
      this.#timestamp = block.timestamp;
      this.#isStaked = hasEnoughStake(stake, terms.penalty);
      this.#isOperator = until === MAX_UINT40;
      for (const [at, asset] of assets.entries()) {
        const offer = offers[at];
        if (!offer) this.#offers.delete(asset);
        else {
          const { priceIn, priceOut, priceUnit, capacity } = offer;
          const prices = { in: baseUnits(priceIn), out: baseUnits(priceOut), unit: baseUnits(priceUnit) };
          this.#offers.set(asset, { prices, capacity });
        }
      }
      this.#seenAt = this.#deps.clock();
    } catch (error) {
      throw chainError(error, "read offers and stake");
    }
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #poll(): Promise<void> {
    if (this.#polling) return;
    this.#polling = this.refresh().catch((error) => {
      const blindSeconds = Math.round((this.#deps.clock() - this.#seenAt) / 1000);
      const code = error instanceof FoldmarkError ? error.code : "internal.bug";
      this.#deps.log.warn({ code, blindSeconds }, "the chain does not answer; known channels are served for a while");
    });
    await this.#polling;
    this.#polling = undefined;
  }

  /** Deposits count at the node's confirmations, exits and redemptions at once. */
  async #readChannel(channelId: ChannelId): Promise<ChannelFunds> {
    const { chain, deployment } = this.#market;
    const contract = { address: deployment.contracts.channels, abi: paymentChannelsAbi, args: [channelId] as const };
    const head = await chain.client.getBlockNumber();
    const confirmed = confirmedBlock({ head, confirmations: chain.confirmations });
    const [deep, latest, exit] = await Promise.all([
      chain.client.readContract({ ...contract, functionName: "balanceOf", blockNumber: confirmed }),
      chain.client.readContract({ ...contract, functionName: "balanceOf" }),
      chain.client.readContract({ ...contract, functionName: "exitOf" }),
    ]);
    return {
      deposit: lower(deep.deposit, latest.deposit),
      pendingExit: baseUnits(exit.amount),
      redeemed: baseUnits(latest.redeemed),
    };
  }

  #makeRoom(): void {
    if (this.#channels.size < MOST_CHANNELS) return;
    const [poorest] = [...this.#channels].find(([, { funds }]) => funds.deposit === 0n) ?? [];
    if (poorest) this.#channels.delete(poorest);
  }

  /**
   * Looks at every block since the last look, so many at a time as any endpoint allows; where the new head is not known to
   * follow from the last one, at those again that a reorganisation may have replaced.
   */
  async #readEvents({ number: head, hash, parentHash }: BlockPlace): Promise<void> {
    const follows = (head === this.#head ? hash : parentHash) === this.#headHash;
    if (this.#head === 0n) this.#head = head;
    else if (!follows)
      this.#head = confirmedBlock({ head: lower(head, this.#head), confirmations: this.#market.chain.confirmations });
    for (; this.#head < head; ) {
      const toBlock = lower(head, this.#head + BLOCKS_AT_ONCE);
      await this.#readRange(this.#head + 1n, toBlock);
      this.#head = toBlock;
    }
    this.#headHash = hash;
  }

  async #readRange(fromBlock: bigint, toBlock: bigint): Promise<void> {
    const { chain, deployment } = this.#market;
    const events = await chain.client.getContractEvents({
      ...{ address: deployment.contracts.channels, abi: paymentChannelsAbi },
      ...{ fromBlock, toBlock },
    });
    for (const event of events) {
      const id = "id" in event.args ? event.args.id : undefined;
      if (typeof id !== "string") continue;
      this.#channels.delete(toChannelId(id));
      if (event.eventName === "ExitStarted") this.#deps.onExit?.(toChannelId(id));
    }
  }
}

type BlockPlace = { number: bigint; hash: Hash; parentHash: Hash };

/** Blocks of one request for events. */
const BLOCKS_AT_ONCE = 1_000n;
/** What `answerableUntil` says of the payee itself and of an operator that has not been withdrawn. */
const MAX_UINT40 = 2 ** 40 - 1;
