import type { Position } from "@foldmark/machine";
import type { Address, Hex } from "viem";
import { chainError } from "../../chain/market.ts";
import { type CourtReader, positionOf } from "../court/court.ts";
import type { CourtEvent } from "./courtEvents.ts";

/** One event of a game, as a person reads it. Times in unix seconds, `interval` in elements of the list. */
export type Round = {
  event: CourtEvent["eventName"];
  block: bigint;
  time: bigint;
  /** Who sent the transaction, and what all of it cost. */
  by: Address;
  gasUsed: bigint;
  transaction: Hex;
  /** What the event is about: a part of the trace, a root, an element, an amount. */
  what: string;
  position?: Position;
  interval?: { first: number; count: number };
  hashes: Hex[];
};

/** A game from its events alone, with what the chain says of their transactions. @throws `chain.unreachable` */
export async function roundsOfGame(court: CourtReader, events: readonly CourtEvent[]): Promise<Round[]> {
  const { client } = court.market.chain;
  let asked: Position | undefined;
  const rounds: Round[] = [];
  for (const event of events) {
    if (event.eventName === "Asked") asked = positionOf(event.args.position);
    try {
      const [receipt, block] = await Promise.all([
        client.getTransactionReceipt({ hash: event.transactionHash }),
        client.getBlock({ blockNumber: event.blockNumber }),
      ]);
      rounds.push({
        ...{ event: event.eventName, block: event.blockNumber, time: block.timestamp },
        ...{ by: receipt.from, gasUsed: receipt.gasUsed, transaction: event.transactionHash },
        ...described(event, asked),
      });
    } catch (error) {
      throw chainError(error, "read a transaction of the game");
    }
  }
  return rounds;
}

type Described = Pick<Round, "what" | "hashes" | "position" | "interval">;

function described(event: CourtEvent, asked: Position | undefined): Described {
  const at = asked ? { position: asked, interval: intervalOf(asked) } : {};
  switch (event.eventName) {
    case "Challenged":
      return { what: `challenges answer ${event.args.answerDigest}`, hashes: [event.args.statementId] };
    case "Posted":
      return { what: "posts the root of its trace", hashes: [event.args.traceRoot] };
    case "Asked":
      return { what: `asks for ${placeText(asked)}`, hashes: [event.args.node], ...at };
    case "Revealed":
      return {
        what: `shows ${event.args.nodes.length} nodes ${event.args.depth} levels under ${placeText(asked)}`,
        ...{ hashes: [...event.args.nodes], ...at },
      };
    case "LeafRevealed":
      return { what: `shows ${placeText(asked)}, ${(event.args.data.length - 2) / 2} bytes`, hashes: [], ...at };
    case "Refuted": {
      const { stage, fold, t, r, c, j } = event.args.target;
      return { what: `refutes stage ${stage}, fold ${fold}, step ${t}, element (${r}, ${c}), index ${j}`, hashes: [] };
    }
    case "Silent":
      return { what: "ends the payee's clock: it was silent", hashes: [] };
    case "Convicted":
      return { what: `convicts ${event.args.payee}; the reward is ${event.args.challenger}'s`, hashes: [] };
    case "Lost":
      return {
        what: `ends the challenger's clock: its bond is lost, ${event.args.toPayee} of it to the payee`,
        hashes: [],
      };
    case "BondTaken":
      return { what: `takes the bond of ${event.args.amount} back`, hashes: [] };
    case "CreditWithdrawn":
      return { what: `withdraws ${event.args.amount}`, hashes: [] };
  }
}

/** A part of the trace in words. */
export function placeText(position: Position | undefined): string {
  if (!position) return "the trace";
  const { list, stage, t, fold, length } = position;
  const { first, count } = intervalOf(position);
  const elements = count === 1 ? `${ELEMENTS[list]} ${first}` : `${ELEMENTS[list]}s ${first} to ${first + count - 1}`;
  const of = list === "stages" ? "" : `, stage ${stage}`;
  const step = list === "folds" || (list === "leaves" && (t > 0 || fold > 0)) ? `, step ${t}` : "";
  const within = list === "leaves" && fold > 0 ? `, fold ${fold}` : "";
  return `${elements} of ${length}${of}${step}${within}`;
}

/** The elements of its list that lie under a node. */
export function intervalOf({ height, index, length }: Position): { first: number; count: number } {
  const first = index * 2 ** height;
  return { first, count: Math.min(2 ** height, length - first) };
}

const ELEMENTS = { stages: "stage", steps: "step", folds: "fold", leaves: "leaf" } as const;
