import type { Address, Hash, Hex } from "viem";
import { chainError } from "../chain/market.ts";
import type { CourtReader } from "./court/court.ts";
import { type ChallengedEvent, readChallenges } from "./game/courtEvents.ts";

/** A challenge against this payee, as its opening said. */
export type SeenChallenge = {
  id: Hex;
  answerDigest: Hex;
  challenger: Address;
  statementId: Hex;
  channelId: Hex;
  block: bigint;
};

/** How far back is looked again where the chain is no longer the one that was read. */
const REORG_BLOCKS = 256n;

/** Finds the challenges against a payee as they come. What a reorganisation moves to another block is found there again. */
export class ChallengeWatch {
  readonly #court: CourtReader;
  readonly #payee: Address;
  #head: { number: bigint; hash: Hash } | undefined;

  constructor(court: CourtReader, payee: Address) {
    this.#court = court;
    this.#payee = payee;
  }

  /** Challenges since the last call; at the first one all that may still be open. @throws `chain.unreachable` */
  async next(): Promise<SeenChallenge[]> {
    const { client } = this.#court.market.chain;
    try {
      const { number, hash } = await client.getBlock();
      const fromBlock = await this.#from(number);
      const events = await readChallenges(this.#court, { payee: this.#payee }, { fromBlock, toBlock: number });
      this.#head = { number, hash };
      return events.map(seen);
    } catch (error) {
      throw chainError(error, "look for challenges");
    }
  }

  async #from(head: bigint): Promise<bigint> {
    const first = BigInt(this.#court.market.deployment.fromBlock);
    const known = this.#head;
    if (!known) return (await this.#court.openChallenges(this.#payee)) > 0n ? first : head;
    const { client } = this.#court.market.chain;
    const isSameChain =
      known.number <= head && (await client.getBlock({ blockNumber: known.number })).hash === known.hash;
    if (isSameChain) return known.number + 1n;
    const back = (known.number < head ? known.number : head) - REORG_BLOCKS;
    return back > first ? back : first;
  }
}

const seen = ({ args, blockNumber }: ChallengedEvent): SeenChallenge => ({
  ...{ id: args.id, answerDigest: args.answerDigest, challenger: args.challenger },
  ...{ statementId: args.statementId, channelId: args.channelId, block: blockNumber },
});
