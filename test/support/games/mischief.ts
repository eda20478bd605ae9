// Moves that must never be taken, and good ones at the wrong time.
import type { Address, Hex } from "viem";
import { look } from "./duties.ts";
import { calls } from "./moves.ts";
import { challengersMove, payeesMove } from "./seats.ts";
import { isHonest } from "./subject.ts";
import type { World } from "./world.ts";

type Court = (typeof calls)[Exclude<keyof typeof calls, "withdraw">] extends (...of: never[]) => infer C ? C : never;
export type Mischief = { what: string; by: Address; call: Court };

const junk = (world: World, length: number): Uint8Array => Uint8Array.from({ length }, () => world.draws.below(256));

/** Moves of one challenge that no state of it allows. */
export function nonsense(world: World, id: Hex): Mischief[] {
  const { of, challenger } = world.gameOf(id);
  const { stranger, draws } = world;
  const { operator, account } = of.payee;
  const payee = account.address;
  const { position, depth } = world.replay.game(id);
  const nodes = (count: number) => Array.from({ length: count }, () => junk(world, 32));
  const [node] = nodes(1) as [Uint8Array];
  const isOperator = world.answerableUntil(of.payee, operator.address) === 2 ** 40 - 1;
  const hasRoot = (world.replay.cases.get(of.digest)?.rootAt ?? 0) > 0;
  const ask = (change: { child?: number; path?: Uint8Array[]; record?: Uint8Array }) =>
    calls.ask(id, of, {
      ...{ child: change.child ?? position.index * 2 ** depth, node, path: change.path ?? [] },
      record: change.record ? { index: draws.below(9), data: change.record, path: nodes(draws.below(4)) } : undefined,
    });
  const first = { ...of.subject.preimage, T: (of.subject.preimage.T ^ 1) >>> 0 };
  return [
    { what: "a stranger posts a root", by: stranger, call: calls.post(of.digest, of.subject.shown.root) },
    { what: "a challenger posts a root", by: challenger.address, call: calls.post(of.digest, node) },
    ...(isOperator
      ? []
      : [{ what: "a withdrawn key posts a root", by: operator.address, call: calls.post(of.digest, node) }]),
    ...(hasRoot ? [{ what: "the payee posts another root", by: payee, call: calls.post(of.digest, node) }] : []),
    { what: "somebody else asks", by: stranger, call: ask({}) },
    { what: "the payee asks", by: payee, call: ask({}) },
    { what: "nodes from nowhere are shown", by: payee, call: calls.reveal(id, nodes(1 + draws.below(17))) },
    { what: "no nodes are shown", by: payee, call: calls.reveal(id, []) },
    {
      what: "a leaf from nowhere is shown",
      by: payee,
      call: calls.revealLeaf(id, junk(world, 1 + draws.below(1_030))),
    },
    { what: "an empty leaf is shown", by: payee, call: calls.revealLeaf(id, new Uint8Array()) },
    { what: "a node from nowhere is asked for", by: challenger.address, call: ask({ path: nodes(depth) }) },
    {
      what: "a node that is not there is asked for",
      by: challenger.address,
      call: ask({ child: 2 ** 32 - 1, path: nodes(depth) }),
    },
    { what: "a record from nowhere is shown", by: challenger.address, call: ask({ record: junk(world, 46) }) },
    {
      what: "another statement is refuted",
      by: challenger.address,
      call: calls.refute(id, { ...of, subject: { ...of.subject, preimage: first } }, empty),
    },
    ...(of.subject.clear ? [] : [{ what: "nothing is refuted", by: stranger, call: calls.refute(id, of, empty) }]),
    { what: "the answer is challenged again", by: challenger.address, call: calls.challenge(of) },
    { what: "a challenge from nowhere is ended", by: stranger, call: calls.timeout([of.digest]) },
  ];
}

const empty = {
  target: { stage: 0, fold: 0, t: 0, r: 0, c: 0, j: 0 },
  ...{ records: [], code: new Uint8Array(), openings: [] },
};

/** What would be the next move of either seat, were the game still on and it were its turn. */
export async function nextMoves(world: World, id: Hex): Promise<Mischief[]> {
  const { of, challenger } = world.gameOf(id);
  const { subject, payee } = of;
  const at = await look(world, id);
  const asIf = (turn: "payee" | "challenger") => ({
    ...at,
    ...{ game: { ...at.game, turn, deadline: BigInt(world.now + 1) }, dispute: { ...at.dispute, convictedAt: 0n } },
  });
  const list: Mischief[] = [
    { what: "the root is posted", by: payee.account.address, call: calls.post(of.digest, subject.shown.root) },
    { what: "it is timed out", by: world.stranger, call: calls.timeout([id]) },
    { what: "it is challenged again", by: challenger.address, call: calls.challenge(of) },
  ];
  const answer = await payeesMove(subject, asIf("payee"));
  if (answer.kind === "reveal")
    list.push({ what: "nodes are shown", by: payee.account.address, call: calls.reveal(id, answer.nodes) });
  if (answer.kind === "revealLeaf")
    list.push({ what: "the leaf is shown", by: payee.account.address, call: calls.revealLeaf(id, answer.data) });
  const isLedWell = challenger.role === "honest" || challenger.role === "prober";
  if (subject.own && !isHonest(subject) && isLedWell) {
    const move = await challengersMove(subject, asIf("challenger"), world.eventsOf(id));
    if (move.kind === "ask")
      list.push({ what: "it is asked on", by: challenger.address, call: calls.ask(id, of, move) });
    if (move.kind === "refute")
      list.push({ what: "it is refuted", by: world.stranger, call: calls.refute(id, of, move.refutation) });
  }
  if (subject.clear)
    list.push({ what: "it is refuted", by: world.stranger, call: calls.refute(id, of, subject.clear) });
  return list;
}
