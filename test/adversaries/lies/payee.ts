// A payee that lies, as a process: it stakes, answers an order by the lie it is started with, signs the answer, and plays
// its seat at the court with the node's own player until the game is over.
//   node test/adversaries/lies/payee.ts ORDER.json

import { localTrace, Player } from "@foldmark/node";
import {
  answerDigest,
  baseUnits,
  chainNow,
  codeOf,
  type Deployment,
  domainOf,
  FoldmarkError,
  signAnswer,
  statementIdOf,
  toChannelId,
  untilOf,
} from "@foldmark/protocol";
import { createLogger } from "@foldmark/service";
import { type Hex, keccak256, toHex } from "viem";
import { readChallenges } from "../../../packages/node/src/disputes/courtEvents.ts";
import { type Courtroom, keyOf, openCourtroom, preimageOf, readOrder, say } from "./court.ts";
import { type Evidence, encodeEvidence } from "./evidence.ts";
import { LIES, type LieName } from "./lies.ts";
import type { Told } from "./told.ts";

export type PayeeSeat = {
  /** Names the payee's key; each has its own stake. */
  name: string;
  lie: LieName;
  /** Moves that it makes before it falls silent. */
  moves?: number;
  /** Signs with the key of an operator that was withdrawn just before, so many seconds after the last that it binds. */
  withdrawnBy?: number;
};
export type PayeeOrder = { rpc: string; deployment: Deployment; pollMs: number; seats: PayeeSeat[] };

const log = createLogger({ name: "payee", level: "error" });
const { rpc, deployment, pollMs, seats } = readOrder<PayeeOrder>();
const room = await openCourtroom({ rpc, deployment });
const domain = domainOf(deployment);

type Seated = {
  seat: PayeeSeat;
  told: Told;
  evidence: Evidence;
  digest: Hex;
  person: Awaited<ReturnType<Courtroom["person"]>>;
};

async function sit(seat: PayeeSeat): Promise<Seated> {
  const told = await LIES[seat.lie]();
  const { bytes, model, job } = told.stated;
  const person = await room.person(seat.name);
  await person.stake();
  const preimage = preimageOf(model, job, bytes);
  const { key, until } = await signatureOf(seat, person);
  const answer = {
    ...{ payee: person.account.address, statementId: statementIdOf(preimage), until },
    channelId: toChannelId(keccak256(toHex(seat.name))),
    ...{ maxClaimableAmount: baseUnits(5n), charged: baseUnits(5n) },
  };
  const signature = await signAnswer(key, domain, answer);
  const { ordered, received } = told;
  const evidence = {
    ...{ name: seat.name, lie: seat.lie, answer, signature, preimage, ordered, received, job, bytes },
  };
  return { seat, told, evidence, digest: answerDigest(domain, answer), person };
}

/** The key that signs, and the last second of a challenge. */
async function signatureOf({ name, withdrawnBy }: PayeeSeat, person: Seated["person"]) {
  const { timestamp } = await room.market.chain.client.getBlock();
  const now = chainNow({ latestBlockTimestamp: timestamp, ownClockMs: Date.now() });
  const { windowSeconds } = room.market.terms;
  if (withdrawnBy === undefined) return { key: person.account, until: untilOf({ now, windowSeconds }) };
  const operator = keyOf(`${name}, operator`);
  await person.setOperator(operator.address, true);
  await person.setOperator(operator.address, false);
  const last = BigInt(await room.answerableUntil(person.account.address, operator.address));
  return { key: operator, until: last + BigInt(withdrawnBy) };
}

type Seat = { of: Seated; id: Hex; player: Player | undefined; left: number };
const games = new Map<Hex, Seat>();

function take(of: Seated, id: Hex, fromBlock: bigint): void {
  const {
    told: {
      stated: {
        model: { program, constants },
        job,
      },
      shown,
    },
    evidence: { preimage },
    person: { moves },
  } = of;
  const own = shown && localTrace(shown, { program, constants: (i) => constants[i] ?? new Uint8Array(), job });
  const player = own && new Player({ id, fromBlock, own, preimage, program }, { court: room.court, moves, log });
  games.set(id, { of, id, player, left: of.seat.moves ?? Number.POSITIVE_INFINITY });
}

async function look(game: Seat): Promise<void> {
  const {
    of: {
      seat: { name },
    },
    id,
    player,
  } = game;
  const { turn } = await room.court.game(id);
  if (turn === "won" || turn === "lost") {
    games.delete(id);
    say({ event: "over", name, id, turn });
    return;
  }
  if (!player || game.left === 0) return;
  try {
    const { moved } = await player.lookAsPayee();
    if (!moved) return;
    game.left--;
    say({ event: "moved", name, id, ...moved });
  } catch (error) {
    if (codeOf(error) !== "chain.reverted") throw error;
    game.left = 0; // it has nothing better to show
    say({ event: "refused", name, id, error: error instanceof FoldmarkError ? error.details.error : undefined });
  }
}

const seated: Seated[] = [];
for (const of of await Promise.all(seats.map(sit))) {
  seated.push(of);
  say({ event: "signed", evidence: encodeEvidence(of.evidence) });
}
say({ event: "ready" });

const byDigest = new Map(seated.map((of) => [of.digest, of]));
let from = BigInt(deployment.fromBlock);
for (;;) {
  const head = await room.market.chain.client.getBlockNumber();
  if (head >= from)
    for (const { args, blockNumber } of await readChallenges(room.court, {}, { fromBlock: from, toBlock: head })) {
      const of = byDigest.get(args.answerDigest);
      if (of && !games.has(args.id)) take(of, args.id, blockNumber);
    }
  from = head + 1n;
  await Promise.all([...games.values()].map(look));
  await new Promise((resolve) => setTimeout(resolve, pollMs));
}
