// The court as players read it.
import { type Address, formatLog, type Hex, hexToBytes, parseEventLogs, type RpcLog, zeroAddress } from "viem";
import { positionOf } from "../../../packages/node/src/disputes/court/court.ts";
import type { CourtEvent } from "../../../packages/node/src/disputes/game/courtEvents.ts";
import { type Dispute, type Game, TURNS } from "../../../packages/node/src/disputes/game/game.ts";
import { courtAbi, paymentChannelsAbi } from "../../../packages/protocol/src/abi.ts";
import type { GameChain } from "./chain.ts";

/** A challenge as of the last block; undefined where there is none. */
export async function readGame(chain: GameChain, id: Hex): Promise<Game | undefined> {
  const game = await chain.read("court", { functionName: "gameOf", args: [id] });
  if (game.challenger === zeroAddress) return undefined;
  return {
    ...{ id, answerDigest: game.answerDigest, challenger: game.challenger, turn: TURNS[game.turn] ?? "none" },
    ...{ deadline: BigInt(game.deadline), depth: game.depth, isLeafRevealed: game.isLeafRevealed },
    node: hexToBytes(game.node),
    position: positionOf(game.position),
  };
}

/** A challenged answer as of the last block, with the challenge that a conviction would pay. */
export async function readDispute(
  chain: GameChain,
  answerDigest: Hex,
): Promise<Dispute & { rootAt: bigint; head: Hex }> {
  const dispute = await chain.read("court", { functionName: "disputeOf", args: [answerDigest] });
  return {
    ...{ payee: dispute.payee, statementId: dispute.statementId, channelId: dispute.channelId },
    traceRoot: dispute.rootAt === 0 ? undefined : hexToBytes(dispute.traceRoot),
    ...{ rootDue: BigInt(dispute.rootDue), rootAt: BigInt(dispute.rootAt) },
    ...{ convictedAt: BigInt(dispute.convictedAt), open: dispute.open, head: dispute.head },
  };
}

export function courtEvents(chain: GameChain, logs: readonly RpcLog[]): CourtEvent[] {
  const ofCourt = logs.filter(({ address }) => address.toLowerCase() === chain.addresses.court.toLowerCase());
  const events: CourtEvent[] = [];
  events.push(...parseEventLogs({ abi: courtAbi, logs: ofCourt.map((log) => formatLog(log)), strict: true }));
  return events;
}

/** What a conviction has taken of a stake, and what it has burnt of that and of held income, in base units. */
export type Conviction = { payee: Address; challenger: Address; channelId: Hex; taken: bigint; burnt: bigint };

export function convictionsIn(chain: GameChain, logs: readonly RpcLog[]): Conviction[] {
  const ofChannels = logs.filter(({ address }) => address.toLowerCase() === chain.addresses.channels.toLowerCase());
  return parseEventLogs({
    ...{ abi: paymentChannelsAbi, logs: ofChannels.map((log) => formatLog(log)) },
    ...{ eventName: "Convicted", strict: true },
  }).map(({ args }) => args);
}
