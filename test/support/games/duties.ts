// What honest people owe a game, by when.
import type { Hex } from "viem";
import type { ChallengerMove } from "../../../packages/node/src/disputes/game/challengerMove.ts";
import type { Game } from "../../../packages/node/src/disputes/game/game.ts";
import type { PayeeMove } from "../../../packages/node/src/disputes/game/payeeMove.ts";
import { calls, send } from "./moves.ts";
import { type At, challengersMove, payeesMove } from "./seats.ts";
import { readDispute, readGame } from "./view.ts";
import { isCatchable, type World } from "./world.ts";

export type Duty = { what: string; deadline: number; act(): Promise<void> };

/** The moves that honest seats are to make before a deadline; in its last second is early enough. */
export function duties(world: World): Duty[] {
  const { replay, answers, challengers } = world;
  const [auditor] = challengers;
  const list: Duty[] = [];
  for (const signed of answers) {
    const { digest } = signed;
    const isChallenged = replay.cases.get(digest)?.ids.some((id) => world.gameOf(id).challenger === auditor);
    const isOver = (replay.cases.get(digest)?.convictedAt ?? 0) > 0 || world.now > Number(signed.answer.until);
    if (auditor && !isChallenged && !isOver && isCatchable(signed))
      list.push({
        ...{ what: "challenge a lie", deadline: Number(signed.answer.until) },
        act: () =>
          succeed(
            world,
            "the auditor challenges",
            world.table.chain.send(auditor.address, "court", calls.challenge(signed)),
          ),
      });
  }
  for (const id of replay.games.keys()) {
    const { challenger, of } = world.gameOf(id);
    const turn = replay.turn(id);
    const deadline = replay.deadline(id);
    if (turn === "payee" && of.payee.isHonest)
      list.push({ what: "answer a challenge", deadline, act: () => moveAsPayee(world, id) });
    if (turn === "challenger" && challenger.role === "honest")
      list.push({ what: "go on with a challenge", deadline, act: () => moveAsChallenger(world, id) });
    if (turn === "payee" && challenger.role === "honest" && world.now > deadline)
      list.push({
        what: "end what a clock has ended",
        deadline: Number.POSITIVE_INFINITY,
        act: () => moveAsChallenger(world, id),
      });
  }
  return list.sort((a, b) => a.deadline - b.deadline);
}

/** The honest challenger's move, after those before it that are lost have been taken off. */
export async function moveAsChallenger(world: World, id: Hex): Promise<void> {
  const { challenger, of } = world.gameOf(id);
  const { chain } = world.table;
  const at = await look(world, id);
  const move: ChallengerMove = await challengersMove(of.subject, at, world.eventsOf(id));
  const act = () => send({ chain, by: challenger.address, id, of }, move);
  const what = `${challenger.name} makes its ${move.kind}`;
  const sent = await act();
  if (!sent) throw new Error(`${challenger.name} is to move and would rather ${move.kind}`);
  world.note(what, sent);
  if (sent.ok) return;
  if (sent.error !== "ExpiredFirst") throw new Error(`${what}: ${sent.error}`);
  await succeed(
    world,
    "those that are lost are taken off",
    chain.send(challenger.address, "court", calls.timeout(expired(world, of.digest))),
  );
  const again = await act();
  if (again) await succeed(world, what, Promise.resolve(again));
}

export async function moveAsPayee(world: World, id: Hex): Promise<void> {
  const { of } = world.gameOf(id);
  const move = await payeesMove(of.subject, await look(world, id));
  await succeed(world, `${of.payee.name} makes its ${move.kind}`, sendAsPayee(world, id, move));
}

/** By the payee itself or its operator of the day. */
export async function sendAsPayee(world: World, id: Hex, move: PayeeMove) {
  const { of } = world.gameOf(id);
  const { account, operator } = of.payee;
  const isOperator = world.answerableUntil(of.payee, operator.address) === 2 ** 40 - 1;
  const by = isOperator && world.draws.below(2) === 0 ? operator.address : account.address;
  const sent = await send({ chain: world.table.chain, by, id, of }, move);
  if (!sent) throw new Error(`${of.payee.name} has nothing to send: ${move.kind}`);
  return sent;
}

/** Challenges of an answer whose challengers' clocks have run out. */
export const expired = (world: World, digest: Hex): Hex[] =>
  world.replay
    .openOf(digest)
    .filter((id) => world.replay.turn(id) === "challenger" && world.now > world.replay.deadline(id));

export async function look(world: World, id: Hex): Promise<At> {
  const { chain } = world.table;
  const game: Game | undefined = await readGame(chain, id);
  if (!game) throw new Error(`the court knows no challenge ${id}`);
  return { game, dispute: await readDispute(chain, game.answerDigest), now: world.now };
}

async function succeed(world: World, what: string, sending: Promise<Awaited<ReturnType<typeof send>>>): Promise<void> {
  const sent = await sending;
  if (!sent) throw new Error(`${what}: nothing was sent`);
  world.note(what, sent);
  if (!sent.ok) throw new Error(`${what}: ${sent.error}`);
}
