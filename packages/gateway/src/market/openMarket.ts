import { type CourtTerms, chainNow, FoldmarkError, type Hash, keyBlockNumber, toHash } from "@foldmark/protocol";
import type { AssetState, ChainClient, Indexer, MarketView } from "@foldmark/service";
import type { Market, RegisteredModel } from "./market.ts";

export type MarketDeps = {
  view: MarketView;
  indexer: Pick<Indexer, "sync">;
  client: ChainClient;
  terms: CourtTerms;
  confirmations: number;
  now: () => number;
};

/** The market as routing sees it, on the index of the chain's events. */
export function openMarket({ view, indexer, client, terms, confirmations, now }: MarketDeps): Market {
  /** The newest key block; its number changes every 64 blocks. */
  let keyBlock: { number: bigint; hash: Hash; timestamp: bigint } | undefined;

  const times = new Map<bigint, number>();

  async function keyBlockAt(number: bigint) {
    if (keyBlock?.number === number) return keyBlock;
    try {
      const { hash, timestamp } = await client.getBlock({ blockNumber: number });
      keyBlock = { number, hash: toHash(hash), timestamp };
      return keyBlock;
    } catch (cause) {
      throw new FoldmarkError("chain.unreachable", "The chain did not answer while a request was routed.", { cause });
    }
  }

  return {
    terms,
    resolve(name) {
      const resolved = view.resolve(name);
      if (!resolved) return undefined;
      return { model: registered(resolved.asset), ...(resolved.alias && { alias: resolved.alias }) };
    },
    models: () => view.assets().map(registered),
    aliasOf: (asset) => view.aliasesOf(asset)[0],
    async state(asset) {
      const { head } = view;
      if (!head) throw new FoldmarkError("chain.unreachable", "No block of the chain has been read yet.");
      // all of the state is read before anything is awaited: it belongs to one block
      const candidates = view.offersOf(asset).map(({ candidate }) => candidate);
      const number = keyBlockNumber({ head: head.number, confirmations });
      return {
        stateBlock: { number: head.number, hash: toHash(head.hash) },
        keyBlock: await keyBlockAt(number),
        candidates,
      };
    },
    endpointOf: (provider) => view.provider(provider)?.endpoint,
    answerableUntil: (payee, key) => view.answerableUntil(payee, key),
    stakeOf: (payee) => view.stakeOf(payee),
    chainNow: () => chainNow({ latestBlockTimestamp: view.head?.timestamp ?? 0n, ownClockMs: now() }),
    async timeOf(block) {
      const known = times.get(block);
      if (known !== undefined) return known;
      const time = Number((await client.getBlock({ blockNumber: block })).timestamp);
      times.set(block, time);
      return time;
    },
    async refresh() {
      await indexer.sync();
    },
    head: () => view.head,
  };
}

const registered = ({ assetId, modelId, packageHash, owner, registeredAtBlock }: AssetState): RegisteredModel => ({
  asset: assetId,
  modelId,
  packageHash,
  owner,
  block: registeredAtBlock,
});
