import type { courtAbi } from "@foldmark/protocol/abi";
import { type Address, formatLog, type Hex, numberToHex, type ParseEventLogsReturnType, parseEventLogs } from "viem";
import { chainError } from "../../chain/market.ts";
import { type CourtReader, positionOf } from "../court/court.ts";
import type { Reveal, RevealedLeaf, RevealedTree } from "./revealedTree.ts";

/** An event of the court, decoded. */
export type CourtEvent = ParseEventLogsReturnType<typeof courtAbi, undefined, true>[number];
export type ChallengedEvent = Extract<CourtEvent, { eventName: "Challenged" }>;

export type BlockRange = { fromBlock: bigint; toBlock: bigint };

/** Blocks of one request for events: what any endpoint allows. */
const BLOCKS_AT_ONCE = 2_000n;

/** Every challenge in these blocks: against a payee, of one answer, or all of them. */
export async function readChallenges(
  court: CourtReader,
  of: { payee?: Address; answerDigest?: Hex },
  range: BlockRange,
): Promise<ChallengedEvent[]> {
  const { client } = court.market.chain;
  const found: ChallengedEvent[] = [];
  for (const blocks of parts(range)) {
    const query = { ...court.contract, eventName: "Challenged", args: of, strict: true, ...blocks } as const;
    found.push(...((await asked(client.getContractEvents(query))) as ChallengedEvent[]));
  }
  return found;
}

/** Everything that has happened to one answer and one challenge of it, in order: what a game is replayed from. */
export async function readGameEvents(
  court: CourtReader,
  { id, answerDigest }: { id: Hex; answerDigest: Hex },
  range: BlockRange,
): Promise<CourtEvent[]> {
  const { client } = court.market.chain;
  const { address, abi } = court.contract;
  const found: CourtEvent[] = [];
  for (const { fromBlock, toBlock } of parts(range)) {
    // every event of a challenge or an answer has its id as the first topic
    const filter = { address, topics: [null, [id, answerDigest]], ...hexRange({ fromBlock, toBlock }) };
    const logs = await asked(client.request({ method: "eth_getLogs", params: [filter] }));
    found.push(...parseEventLogs({ abi, logs: logs.map((log) => formatLog(log)), strict: true }));
  }
  return found.filter(({ args }) => !("id" in args) || args.id === id);
}

/** Takes in what a game's events have shown of the payee's tree. What was asked says where the nodes lie. */
export function takeReveals(tree: RevealedTree, events: readonly CourtEvent[]): void {
  let asked: Reveal["position"] | undefined;
  for (const event of events) {
    if (event.eventName === "Asked") asked = positionOf(event.args.position);
    else if (event.eventName === "Revealed" && asked)
      tree.add({ position: asked, depth: event.args.depth, nodes: event.args.nodes.map(bytesOf) });
    else if (event.eventName === "LeafRevealed" && asked)
      tree.addLeaf({ position: asked, data: bytesOf(event.args.data) } satisfies RevealedLeaf);
  }
}

function* parts({ fromBlock, toBlock }: BlockRange): Generator<BlockRange> {
  for (let from = fromBlock; from <= toBlock; from += BLOCKS_AT_ONCE) {
    const end = from + BLOCKS_AT_ONCE - 1n;
    yield { fromBlock: from, toBlock: end < toBlock ? end : toBlock };
  }
}

const hexRange = ({ fromBlock, toBlock }: BlockRange) => ({
  fromBlock: numberToHex(fromBlock),
  toBlock: numberToHex(toBlock),
});

const bytesOf = (hex: Hex): Uint8Array => new Uint8Array(Buffer.from(hex.slice(2), "hex"));

async function asked<Value>(call: Promise<Value>): Promise<Value> {
  try {
    return await call;
  } catch (error) {
    throw chainError(error, "read the court's events");
  }
}
