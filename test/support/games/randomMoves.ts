// What people do who follow no strategy.
import { childAt, type Program } from "@foldmark/machine";
import { openRange } from "@foldmark/machine/commitments";
import { type Hex, hexToBytes } from "viem";
import { stageRecord } from "../../../packages/node/src/disputes/game/challengerMove.ts";
import type { Draws } from "../deep.ts";
import { look, moveAsChallenger, moveAsPayee, sendAsPayee } from "./duties.ts";
import { type Ask, calls, send } from "./moves.ts";
import { challengersMove, payeesMove } from "./seats.ts";
import type { World } from "./world.ts";

/** A move of whoever has the turn in a challenge, if it cares to make one. All that is sent here has to be taken. */
export async function randomMove(world: World, id: Hex): Promise<void> {
  const { replay } = world;
  if (!replay.isOpen(id) || world.now > replay.deadline(id)) return;
  if (replay.turn(id) === "payee") await payeeAsItLikes(world, id);
  else await challengerAsItLikes(world, id);
}

async function payeeAsItLikes(world: World, id: Hex): Promise<void> {
  const { of, reveals } = world.gameOf(id);
  if (of.payee.isHonest) return moveAsPayee(world, id);
  if (reveals >= of.silentAfter) return;
  const move = await payeesMove(of.subject, await look(world, id));
  if (move.kind === "wait") return;
  take(world, `the liar makes its ${move.kind}`, await sendAsPayee(world, id, move));
}

async function challengerAsItLikes(world: World, id: Hex): Promise<void> {
  const { of, challenger } = world.gameOf(id);
  const { chain } = world.table;
  if (challenger.role === "honest") return moveAsChallenger(world, id);
  if (challenger.role === "silent" && world.draws.below(4) > 0) return;
  if (of.subject.clear) return;
  const seat = { chain, by: challenger.address, id, of };
  if (challenger.role === "prober") {
    const move = await challengersMove(of.subject, await look(world, id), world.eventsOf(id));
    const sent = await send(seat, move);
    if (sent && !sent.ok && sent.error === "ExpiredFirst") return;
    if (sent) return take(world, `the prober makes its ${move.kind}`, sent);
  }
  const ask = randomAsk(world, id);
  if (ask)
    take(
      world,
      `${challenger.name} asks at random`,
      await chain.send(challenger.address, "court", calls.ask(id, of, ask)),
    );
}

/** A question that the rules allow; undefined once the leaf is shown. */
export function randomAsk(world: World, id: Hex): Ask | undefined {
  const { of } = world.gameOf(id);
  const { position, depth, node, isLeafRevealed } = world.replay.game(id);
  if (isLeafRevealed) return undefined;
  const shown = world.events.findLast((event) => event.eventName === "Revealed" && event.args.id === id);
  const nodes =
    depth > 0 && shown?.eventName === "Revealed"
      ? shown.args.nodes.map((each) => hexToBytes(each))
      : [hexToBytes(node)];
  return askFor(of.subject, { position, depth, nodes }, world.draws);
}

function askFor(
  { program, preimage: { T } }: { program: Program; preimage: { T: number } },
  { position, depth, nodes }: { position: Parameters<typeof childAt>[0]; depth: number; nodes: readonly Uint8Array[] },
  draws: Draws,
): Ask {
  const at = draws.below(nodes.length);
  const child = position.index * 2 ** depth + at;
  const next = childAt(position, depth, child, { program, T });
  return {
    ...{ child, node: nodes[at] as Uint8Array, path: [...openRange(nodes, at).siblings] },
    record: next.list === position.list ? undefined : stageRecord(program, next.stage),
  };
}

function take(world: World, what: string, sent: Awaited<ReturnType<typeof send>>): void {
  if (!sent) return;
  world.note(what, sent);
  if (!sent.ok) throw new Error(`${what}: ${sent.error}`);
}
