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
import { readChallenges } from "../../../packages/node/src/disputes/game/courtEvents.ts";
import { keyOf, openCourtroom, type Person, preimageOf, readOrder, STAKE, say } from "./court.ts";
import { decodeEvidence, type Evidence, encodeEvidence } from "./evidence.ts";
import { LIES, type LieName } from "./lies.ts";
import type { Told } from "./told.ts";

export type PayeeSeat = {
  name: string;
  lie: LieName;
  /** Names the payee's key, by default the seat's name; each key has its own stake. */
  key?: string;
  /** Takes all of its stake back before it answers, or before the answer's last second. */
  unbonds?: "before" | "after";
  /** The answer binds for as long as a payer accepts. */
  untilHold?: boolean;
  /** What it has signed in an earlier life. */
  signed?: unknown;
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
  person: Person;
};

const people = new Map<string, Promise<Person>>();

/** One for each key: two at once would take the same nonces. */
function personOf({ name, key = name }: PayeeSeat): Promise<Person> {
  const known = people.get(key) ?? staked(key);
  people.set(key, known);
  return known;
}

async function staked(name: string): Promise<Person> {
  const person = await room.person(name);
  await person.stake();
  return person;
}

async function sit(seat: PayeeSeat): Promise<Seated> {
  const told = await LIES[seat.lie]();
  if (seat.signed !== undefined) {
    const evidence = decodeEvidence(seat.signed);
    return {
      seat,
      told,
      evidence,
      digest: answerDigest(domain, evidence.answer),
      person: await room.person(seat.name),
    };
  }
  const { bytes, model, job } = told.stated;
  const person = await personOf(seat);
  if (seat.unbonds === "before") await person.startUnbond(STAKE);
  const preimage = preimageOf(model, job, bytes);
  const { key, until } = await signatureOf(seat, person);
  const answer = {
    ...{ payee: person.account.address, statementId: statementIdOf(preimage), until },
    channelId: toChannelId(keccak256(toHex(seat.name))),
    ...{ maxClaimableAmount: baseUnits(5n), charged: baseUnits(5n) },
  };
  const signature = await signAnswer(key, domain, answer);
  if (seat.unbonds === "after") await person.startUnbond(STAKE);
  const { ordered, received } = told;
  const evidence = {
    ...{ name: seat.name, lie: seat.lie, payee: seat.key ?? seat.name, answer, signature, preimage },
    ...{ ordered, received, job, bytes },
  };
  return { seat, told, evidence, digest: answerDigest(domain, answer), person };
}

/** The key that signs, and the last second of a challenge. */
async function signatureOf({ name, withdrawnBy, untilHold }: PayeeSeat, person: Person) {
  const { timestamp } = await room.market.chain.client.getBlock();
  const now = chainNow({ latestBlockTimestamp: timestamp, ownClockMs: Date.now() });
  const { windowSeconds, clocksSeconds } = room.market.terms;
  if (untilHold) return { key: person.account, until: now + windowSeconds + clocksSeconds };
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
    if (codeOf(error) === "chain.unreachable") return; // in the middle of a reorganisation
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
