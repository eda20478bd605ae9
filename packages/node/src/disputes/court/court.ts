import type { List, Position } from "@foldmark/machine";
import { courtAbi, paymentChannelsAbi, refereeAbi } from "@foldmark/protocol/abi";
import { type Address, bytesToHex, type Hex, hexToBytes } from "viem";
import { chainError, type Market } from "../../chain/market.ts";
import { type Dispute, type Game, TURNS } from "../game/game.ts";

/** Constants of the court. Amounts in base units of the settlement token, times in seconds. */
export type CourtTerms = {
  bond: bigint;
  payeeClockSeconds: bigint;
  challengerClockSeconds: bigint;
  machineVersion: number;
};

/** The court of a market, for reading. */
export type CourtReader = {
  readonly market: Market;
  readonly contract: { address: Address; abi: typeof abi };
  readonly terms: CourtTerms;
  challengeId(answerDigest: Hex, challenger: Address): Promise<Hex>;
  game(id: Hex, block?: bigint): Promise<Game>;
  dispute(answerDigest: Hex, block?: bigint): Promise<Dispute>;
  /** Challenges against a payee that nobody has ended. */
  openChallenges(payee: Address): Promise<bigint>;
  /** What an account can withdraw: at the court, and at the market. */
  creditsOf(account: Address): Promise<{ court: bigint; market: bigint }>;
};

/** With the errors of the referee, which the court lets through. */
const abi = [...courtAbi, ...refereeErrors()] as const;

const LISTS: readonly List[] = ["stages", "steps", "folds", "leaves"];

/** The lists of the contract, in its order. */
export const listOf = (number: number): List => LISTS[number] ?? "leaves";

/** @throws `chain.unreachable` */
export async function openCourt(market: Market): Promise<CourtReader> {
  const { client } = market.chain;
  const contract = { address: market.deployment.contracts.court, abi };
  const asked = async <Value>(doing: string, call: Promise<Value>): Promise<Value> => {
    try {
      return await call;
    } catch (error) {
      throw chainError(error, doing);
    }
  };
  const [bond, payeeClockSeconds, challengerClockSeconds, machineVersion] = await asked(
    "read the court's terms",
    Promise.all([
      client.readContract({ ...contract, functionName: "BOND" }),
      client.readContract({ ...contract, functionName: "PAYEE_CLOCK" }),
      client.readContract({ ...contract, functionName: "CHALLENGER_CLOCK" }),
      client.readContract({ ...contract, functionName: "MACHINE_VERSION" }),
    ]),
  );
  const at = (blockNumber: bigint | undefined) => (blockNumber === undefined ? {} : { blockNumber });
  return {
    ...{ market, contract },
    terms: { bond, payeeClockSeconds, challengerClockSeconds, machineVersion },
    challengeId: (answerDigest, challenger) =>
      asked(
        "read a challenge's id",
        client.readContract({ ...contract, functionName: "challengeId", args: [answerDigest, challenger] }),
      ),
    async game(id, block) {
      const game = await asked(
        "read a challenge",
        client.readContract({ ...contract, functionName: "gameOf", args: [id], ...at(block) }),
      );
      return {
        ...{ id, answerDigest: game.answerDigest, challenger: game.challenger, turn: TURNS[game.turn] ?? "none" },
        ...{ deadline: BigInt(game.deadline), depth: game.depth, isLeafRevealed: game.isLeafRevealed },
        node: hexToBytes(game.node),
        position: positionOf(game.position),
      };
    },
    async dispute(answerDigest, block) {
      const dispute = await asked(
        "read a dispute",
        client.readContract({ ...contract, functionName: "disputeOf", args: [answerDigest], ...at(block) }),
      );
      return {
        ...{ payee: dispute.payee, statementId: dispute.statementId, channelId: dispute.channelId },
        traceRoot: dispute.rootAt === 0 ? undefined : hexToBytes(dispute.traceRoot), // a posted root may be zero
        ...{ rootDue: BigInt(dispute.rootDue), convictedAt: BigInt(dispute.convictedAt), open: dispute.open },
      };
    },
    openChallenges: (payee) =>
      asked(
        "read open challenges",
        client.readContract({ ...contract, functionName: "openChallenges", args: [payee] }),
      ),
    async creditsOf(account) {
      const channels = { address: market.deployment.contracts.channels, abi: paymentChannelsAbi };
      const [own, ofMarket] = await asked(
        "read credits",
        Promise.all([
          client.readContract({ ...contract, functionName: "creditOf", args: [account] }),
          client.readContract({ ...channels, functionName: "creditOf", args: [account] }),
        ]),
      );
      return { court: own, market: ofMarket };
    },
  };
}

type RefereeError = Extract<(typeof refereeAbi)[number], { type: "error" }>;
function refereeErrors(): RefereeError[] {
  return refereeAbi.filter((item): item is RefereeError => item.type === "error");
}

type ContractPosition = Omit<Position, "list"> & { list: number };

export const positionOf = ({ list, ...position }: ContractPosition): Position => ({ ...position, list: listOf(list) });

export const hexOf = (bytes: Uint8Array): Hex => bytesToHex(bytes);
