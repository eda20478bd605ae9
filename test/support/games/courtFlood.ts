// A flood of challenges against an honest payee on the real court: its work is chain time.
import type { Hex } from "viem";
import { moveAsPayee } from "./duties.ts";
import { calls } from "./moves.ts";
import { randomAsk } from "./randomMoves.ts";
import type { Subject } from "./subject.ts";
import { addressOf, type Table } from "./table.ts";
import type { Payee, World } from "./world.ts";

export type CourtFlood = {
  subject: Subject;
  challenges: number;
  answers: number;
  /** Seconds for each trace and each reveal. */
  work: { trace: number; reveal: number };
};

/** Plays to the last leaf and then lets every challenger lose; all of the payee's moves have to be taken. */
export async function floodCourt(world: World, { subject, challenges, answers, work }: CourtFlood): Promise<Hex[]> {
  const { table, replay } = world;
  const [payee] = world.payees as [Payee];
  const until = world.now + 600;
  for (let i = 0; i < answers; i++) await world.sign(payee, subject, { key: payee.account, until });
  for (let i = 0; i < challenges; i++) {
    const challenger = { name: `flood ${i}`, address: addressOf(`flood ${i}`), role: "loser" as const };
    world.challengers.push(challenger);
    await table.fund(challenger.address, table.terms.bond);
    await open(world, challenger.address, i % answers);
  }
  const ids = [...replay.games.keys()];
  for (;;) {
    for (const id of ids) if (replay.turn(id) === "challenger") await ask(world, id);
    const owed = ids.filter((id) => replay.turn(id) === "payee");
    if (owed.length === 0) break;
    const first = owed.reduce((a, b) => (replay.deadline(b) < replay.deadline(a) ? b : a));
    const isRoot = replay.cases.get(world.gameOf(first).of.digest)?.rootAt === 0;
    await table.chain.waitUntil(world.now + (isRoot ? work.trace : work.reveal));
    await moveAsPayee(world, first);
  }
  await table.chain.waitUntil(1 + Math.max(...ids.map((id) => replay.deadline(id))));
  for (let at = 0; at < ids.length; at += AT_ONCE)
    must(
      world.note(
        "they are ended",
        await table.chain.send(world.stranger, "court", calls.timeout(ids.slice(at, at + AT_ONCE))),
      ),
    );
  return ids;
}

const AT_ONCE = 200;

async function open(world: World, by: Hex, answer: number): Promise<void> {
  const of = world.answers[answer];
  if (!of) throw new Error(`there is no answer ${answer}`);
  must(world.note("a flood challenges", await world.table.chain.send(by, "court", calls.challenge(of))));
}

async function ask(world: World, id: Hex): Promise<void> {
  const { of, challenger } = world.gameOf(id);
  const move = randomAsk(world, id);
  if (move)
    must(
      world.note("a flood asks", await world.table.chain.send(challenger.address, "court", calls.ask(id, of, move))),
    );
}

function must(sent: Awaited<ReturnType<Table["chain"]["send"]>>): void {
  if (!sent.ok) throw new Error(`a move of the flood reverted: ${sent.error}`);
}
