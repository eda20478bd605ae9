import { confirmedBlock, type Deployment, FoldmarkError } from "@foldmark/protocol";
import type { Hex, Log } from "viem";
import type { ChainClient } from "./chain.ts";
import { decodeMarketEvents, type MarketEvent, marketAddresses } from "./marketEvents.ts";
import type { BlockRef, Projection } from "./projection.ts";

export type IndexerOptions = {
  deployment: Deployment;
  /** How deep a block lies when it is indexed; 1 is the head itself. */
  confirmations: number;
  /** How far back a reorganisation can be followed. */
  reorgDepth?: number;
  /** Blocks asked for at once while catching up; fewer where a server refuses so many events in one answer. */
  rangeBlocks?: number;
};

export type SyncReport = {
  /** Last indexed block; undefined before the deployment's first block is there. */
  head: BlockRef | undefined;
  /** Blocks undone, blocks with events applied. */
  rolledBack: number;
  applied: number;
};

/** How often a range is read again because the chain changed meanwhile, before somebody is told. */
const MAX_FRUITLESS = 5;

type Header = BlockRef & { parentHash: Hex };

/**
 * Feeds projections with the market's events in the chain's order. Keeps the headers of the last blocks; when the chain
 * has others, rolls back to the common ancestor and goes on from there. Holds nothing that the chain does not: a new
 * indexer with empty projections reaches the same state from the deployment's first block.
 */
export class Indexer {
  readonly #client: ChainClient;
  readonly #projections: readonly Projection[];
  readonly #options: Required<IndexerOptions>;
  /** Applied headers in order, at most `reorgDepth + 1`, each the parent of the next. */
  #headers: Header[] = [];
  #rangeBlocks: number;
  #syncing: Promise<SyncReport> | undefined;

  constructor(client: ChainClient, projections: readonly Projection[], options: IndexerOptions) {
    this.#client = client;
    this.#projections = projections;
    this.#options = { reorgDepth: 128, rangeBlocks: 2000, ...options };
    this.#rangeBlocks = this.#options.rangeBlocks;
  }

  /** Last indexed block. */
  get head(): BlockRef | undefined {
    return this.#headers.at(-1);
  }

  /**
   * Follows the chain to its present head. Calls at the same time share one run.
   * @throws `chain.unreachable`; `chain.reorg_too_deep` when no kept header is on the chain any more
   */
  async sync(): Promise<SyncReport> {
    this.#syncing ??= this.#run().finally(() => {
      this.#syncing = undefined;
    });
    return this.#syncing;
  }

  async #run(): Promise<SyncReport> {
    let rolledBack = 0;
    let applied = 0;
    for (let fruitless = 0; fruitless < MAX_FRUITLESS; ) {
      rolledBack += await this.#rollBackToChain();
      const step = await this.#advance();
      applied += step.applied;
      if (step.outcome === "done") return { head: this.head, rolledBack, applied };
      fruitless = step.outcome === "changed" ? fruitless + 1 : 0;
    }
    throw new FoldmarkError(
      "chain.unreachable",
      `The chain changed ${MAX_FRUITLESS} times while its events were read.`,
      {
        hint: "If the RPC address stands for several machines, they disagree: use one.",
      },
    );
  }

  /** @returns how many indexed blocks are no longer on the chain */
  async #rollBackToChain(): Promise<number> {
    let undone = 0;
    let top = this.#headers.at(-1);
    while (top && (await this.#hashAt(top.number)) !== top.hash) {
      this.#headers.pop();
      undone++;
      top = this.#headers.at(-1);
      if (!top)
        throw new FoldmarkError(
          "chain.reorg_too_deep",
          `The chain was reorganised by more than the ${undone} blocks that are kept.`,
          {
            details: { kept: undone },
            hint: "Start again: the state is rebuilt from the deployment's first block.",
          },
        );
    }
    if (undone > 0 && top) for (const projection of this.#projections) await projection.rollback(top.number);
    return undone;
  }

  /** Indexes the next range, unless the chain changes while it is read. */
  async #advance(): Promise<{ applied: number; outcome: "done" | "more" | "changed" }> {
    const { deployment, confirmations, reorgDepth } = this.#options;
    const chainHead = await asked(this.#client.getBlockNumber());
    const target = confirmedBlock({ head: chainHead, confirmations });
    const from = this.head ? this.head.number + 1n : BigInt(deployment.fromBlock);
    if (from > target) return { applied: 0, outcome: "done" };

    const end = from + BigInt(this.#rangeBlocks) - 1n;
    const to = end < target ? end : target;
    // headers are kept only for blocks that may still be reorganised; the hash of `to` vouches for all before it
    const firstKept = target - BigInt(reorgDepth);
    const last = await this.#header(to);
    const logs = await this.#logs(from, to);
    if (!logs) return { applied: 0, outcome: "more" };
    const headers = await this.#headersOf({ from, to, last, firstKept, logs });
    if (!headers || (await this.#hashAt(to)) !== last.hash) return { applied: 0, outcome: "changed" };

    const applied = await this.#apply(headers, decodeMarketEvents(logs));
    this.#rangeBlocks = Math.min(2 * this.#rangeBlocks, this.#options.rangeBlocks);
    return { applied, outcome: to === target ? "done" : "more" };
  }

  /**
   * The market's logs of a range, or nothing after the range was halved: servers bound what one answer holds, and anybody
   * can fill blocks with events.
   */
  async #logs(from: bigint, to: bigint): Promise<Log<bigint, number, false>[] | undefined> {
    const address = marketAddresses(this.#options.deployment);
    try {
      return await this.#client.getLogs({ address, fromBlock: from, toBlock: to });
    } catch (cause) {
      if (from === to) throw unreachable(cause);
      await asked(this.#client.getBlockNumber()); // a chain that does not answer at all is no matter of size
      this.#rangeBlocks = Math.max(Number(to - from + 1n) >> 1, 1);
      return undefined;
    }
  }

  /** Headers of blocks with events and of those in the reorg window, or nothing if they do not fit together. */
  async #headersOf({
    from,
    to,
    last,
    firstKept,
    logs,
  }: {
    from: bigint;
    to: bigint;
    last: Header;
    firstKept: bigint;
    logs: Log[];
  }): Promise<Header[] | undefined> {
    const hashes = new Map(logs.map(({ blockNumber, blockHash }) => [blockNumber, blockHash]));
    const numbers = new Set<bigint>([to]);
    for (const number of hashes.keys()) if (number !== null) numbers.add(number);
    for (let number = firstKept > from ? firstKept : from; number < to; number++) numbers.add(number);

    const sorted = [...numbers].sort((a, b) => (a < b ? -1 : 1));
    const headers: Header[] = [];
    let before = this.#headers.at(-1);
    for (const number of sorted) {
      const header = number === to ? last : await this.#header(number);
      const isLinked = before?.number !== number - 1n || header.parentHash === before.hash;
      if (!isLinked || (hashes.get(number) ?? header.hash) !== header.hash) return undefined;
      headers.push(header);
      before = header;
    }
    return headers;
  }

  async #apply(headers: readonly Header[], events: readonly MarketEvent[]): Promise<number> {
    const byBlock = Map.groupBy(events, ({ blockNumber }) => blockNumber);
    let applied = 0;
    for (const header of headers) {
      const own = byBlock.get(header.number) ?? [];
      for (const projection of this.#projections) await projection.apply(header, own);
      if (own.length > 0) applied++;
      // a gap before this header means that everything earlier is too deep to be reorganised
      const isLinked = this.head?.number === header.number - 1n;
      this.#headers = isLinked ? [...this.#headers.slice(-this.#options.reorgDepth), header] : [header];
    }
    return applied;
  }

  async #header(number: bigint): Promise<Header> {
    const block = await asked(this.#client.getBlock({ blockNumber: number }));
    return { number, hash: block.hash, parentHash: block.parentHash, timestamp: block.timestamp };
  }

  /** Undefined where the chain has become shorter. */
  async #hashAt(number: bigint): Promise<Hex | undefined> {
    if ((await asked(this.#client.getBlockNumber())) < number) return undefined;
    return (await asked(this.#client.getBlock({ blockNumber: number }))).hash;
  }
}

async function asked<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (cause) {
    throw unreachable(cause);
  }
}

function unreachable(cause: unknown): FoldmarkError {
  return new FoldmarkError("chain.unreachable", "The chain did not answer while its events were read.", { cause });
}
