// A market in which people do what they like while the honest keep their duties, to the end of every game.
import type { Hex } from "viem";
import type { PrivateKeyAccount } from "viem/accounts";
import type { Draws } from "../deep.ts";
import { duties } from "./duties.ts";
import { foretold, timeoutOf } from "./foretold.ts";
import { nextMoves, nonsense } from "./mischief.ts";
import { calls } from "./moves.ts";
import type { Pool } from "./pool.ts";
import { earn, unbond } from "./randomMoney.ts";
import { randomMove } from "./randomMoves.ts";
import { isTrue } from "./subject.ts";
import { holdOf, type Table } from "./table.ts";
import { twists } from "./twists.ts";
import { World } from "./world.ts";

const MOST_ANSWERS = 5;

export async function playRandomGame(table: Table, draws: Draws, pool: Pool): Promise<World> {
  const world = new World(table, draws);
  try {
    await world.open();
    const steps = 20 + draws.below(50);
    await sign(world, pool);
    for (let step = 0; step < steps; step++) await draws.pick(ACTIONS)(world, pool);
    await toTheEnd(world);
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}\n${world.story.join("\n")}`, { cause: error });
  }
  return world;
}

type Action = (world: World, pool: Pool) => Promise<void>;

/** Those that are there more often are done more often. */
const ACTIONS: readonly Action[] = [
  sign,
  ...[challenge, challenge, challenge],
  ...[move, move, move, move, move, move],
  ...[pass, pass],
  misbehave,
  end,
  (world) => world.setOperator(world.draws.pick(world.payees), world.draws.below(2) === 0),
  unbond,
  earn,
];

/** An answer that ends at some boundary: soon, when its key does, one second after it. */
async function sign(world: World, { truths, lies }: Pool): Promise<void> {
  const { draws, now } = world;
  if (world.answers.length >= MOST_ANSWERS) return;
  const payee = draws.pick(world.payees);
  const subject = payee.isHonest || draws.below(5) === 0 ? draws.pick(truths) : draws.pick(lies);
  const key: PrivateKeyAccount = draws.below(2) === 0 ? payee.operator : payee.account;
  const hold = holdOf(world.table.terms);
  const until = world.answerableUntil(payee, key.address);
  const ends = [
    now + 600,
    now + 600,
    now + hold,
    now,
    now + 1,
    ...(until > 0 && until < now + 2 * hold ? [until, until + 1] : []),
  ];
  await world.sign(payee, subject, { key, until: draws.pick(ends) });
}

/** Anybody may challenge anything; only the dishonest challenge what is true. What the court says is foretold. */
async function challenge(world: World): Promise<void> {
  const { draws, table, replay } = world;
  const of = draws.pick(world.answers);
  const by = draws.pick(world.challengers);
  if (by.role === "honest" && isTrue(of.subject)) return;
  const convictedAt = replay.cases.get(of.digest)?.convictedAt ?? 0;
  const isTaken = replay.cases.get(of.digest)?.ids.some((id) => world.gameOf(id).challenger === by);
  const expected = !world.binds(of)
    ? "NotAllowed"
    : world.now > Number(of.answer.until)
      ? "WindowClosed"
      : convictedAt > 0
        ? "AlreadyConvicted"
        : isTaken
          ? "AlreadyChallenged"
          : "done";
  const what = `${by.name} challenges ${of.subject.name}`;
  foretold(what, expected, world.note(what, await table.chain.send(by.address, "court", calls.challenge(of))));
}

async function move(world: World): Promise<void> {
  const open = [...world.replay.games.keys()].filter(world.replay.isOpen);
  if (open.length > 0) await randomMove(world, world.draws.pick(open));
}

/** Time goes to some boundary, to just before it or just after it. */
async function pass(world: World): Promise<void> {
  const { draws, now } = world;
  const hold = holdOf(world.table.terms);
  const ends = [
    ...[...world.replay.games.keys()].filter(world.replay.isOpen).map((id) => world.replay.deadline(id)),
    ...world.answers.map(({ answer }) => Number(answer.until)),
    ...[...world.unbonding.values()].map(({ releasedAt }) => releasedAt),
    ...world.payees.map((payee) => world.answerableUntil(payee, payee.operator.address)),
    now + 30,
    (Math.floor(now / hold) + 1) * hold,
  ].flatMap((end) => [end - 1, end, end + 1]);
  const near = ends.filter((end) => end > now && end < now + 2 * hold).sort((a, b) => a - b);
  if (near.length > 0) await advance(world, draws.pick(near.slice(0, 9)));
}

/** Lets time pass. The honest do what they have to before it is too late, some of it in the last second. */
export async function advance(world: World, to: number): Promise<void> {
  for (let guard = 0; ; guard++) {
    if (guard > 500) throw new Error("the honest have no end of duties");
    const [next] = duties(world);
    if (!next || next.deadline >= to) break;
    if (next.deadline < world.now) throw new Error(`it was too late to ${next.what}`);
    if (world.draws.below(3) === 0) await world.table.chain.waitUntil(next.deadline);
    await next.act();
  }
  await world.table.chain.waitUntil(to);
}

/** Something that the court must not take, and a move after its clock. */
async function misbehave(world: World): Promise<void> {
  const { draws, replay, table } = world;
  const ids = [...replay.games.keys()];
  if (ids.length === 0) return;
  const id = draws.pick(ids);
  const late = replay.isOpen(id) && world.now <= replay.deadline(id) ? [] : await nextMoves(world, id);
  const bad = [
    ...nonsense(world, id),
    ...(await twists(world, id)),
    ...late.filter(({ call }) => !replay.isOpen(id) || call.functionName !== "timeout"),
  ];
  const { what, by, call } = draws.pick(bad);
  // a clock that has run out may still be met by evidence while it was the payee's
  if (call.functionName === "refute" && what === "it is refuted" && replay.isOpen(id) && replay.turn(id) === "payee")
    return;
  if (call.functionName === "post" && replay.isOpen(id) && replay.turn(id) === "challenger") return;
  const sent = world.note(what, await table.chain.send(by, "court", call));
  if (sent.ok) throw new Error(`the court took it that ${what}`);
}

/** Anybody ends what clocks have ended, or tries to. */
async function end(world: World): Promise<void> {
  const ids = [...world.replay.games.keys()].filter(() => world.draws.below(3) > 0);
  await timeOut(world, ids);
}

async function timeOut(world: World, ids: readonly Hex[]): Promise<void> {
  const what = `somebody ends ${ids.length} challenges`;
  const expected = timeoutOf(world, ids);
  foretold(what, expected, world.note(what, await world.table.chain.send(world.stranger, "court", calls.timeout(ids))));
}

async function toTheEnd(world: World): Promise<void> {
  const { replay } = world;
  await advance(world, Math.max(world.now, ...world.answers.map(({ answer }) => Number(answer.until) + 1)));
  for (let guard = 0; ; guard++) {
    const open = [...replay.games.keys()].filter(replay.isOpen);
    if (open.length === 0) return;
    if (guard > 300) throw new Error("games without an end");
    if (world.draws.below(2) === 0) await randomMove(world, world.draws.pick(open));
    const next = Math.min(...open.filter(replay.isOpen).map((id) => replay.deadline(id)));
    if (Number.isFinite(next)) await advance(world, Math.max(world.now, next + 1));
    if (world.draws.below(2) === 0)
      await duties(world)
        .find(({ deadline }) => deadline === Number.POSITIVE_INFINITY)
        ?.act();
    // the payee's silence after the challengers': what is lost is off the list by then
    const isOut = (id: Hex) => replay.isOpen(id) && world.now > replay.deadline(id);
    const out = [...replay.games.keys()].filter(isOut).sort((a) => (replay.turn(a) === "challenger" ? -1 : 1));
    if (out.length > 0) await timeOut(world, out);
  }
}
