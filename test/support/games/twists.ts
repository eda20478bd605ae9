// The right move of a game, a little wrong.
import { bytesToHex, type Hex } from "viem";
import { look } from "./duties.ts";
import type { Mischief } from "./mischief.ts";
import { type Ask, calls } from "./moves.ts";
import { randomAsk } from "./randomMoves.ts";
import { payeesMove } from "./seats.ts";
import type { World } from "./world.ts";

/** What whoever has the turn might send in the place of a move that would be taken; nothing where it has no such move. */
export async function twists(world: World, id: Hex): Promise<Mischief[]> {
  const { replay } = world;
  if (!replay.isOpen(id) || world.now > replay.deadline(id) || world.gameOf(id).of.subject.clear) return [];
  return replay.turn(id) === "payee" ? twistedAnswers(world, id) : twistedAsks(world, id);
}

async function twistedAnswers(world: World, id: Hex): Promise<Mischief[]> {
  const { of } = world.gameOf(id);
  const by = of.payee.account.address;
  const move = await payeesMove(of.subject, await look(world, id));
  if (move.kind === "reveal") {
    const [first] = move.nodes as [Uint8Array];
    const lists: [string, readonly Uint8Array[]][] = [
      ["too few nodes", move.nodes.slice(0, -1)],
      ["too many nodes", [...move.nodes, first]],
      ["nodes in another order", [...move.nodes].reverse()],
      ["a node with another bit", [flipped(first, world), ...move.nodes.slice(1)]],
      ["the first node in every place", move.nodes.map(() => first)],
    ];
    const other = lists.filter(([, nodes]) => text(nodes) !== text(move.nodes));
    return [
      ...other.map(([what, nodes]) => ({ what, by, call: calls.reveal(id, nodes) })),
      { what: "a node as a leaf", by, call: calls.revealLeaf(id, first) },
    ];
  }
  if (move.kind === "revealLeaf")
    return [
      { what: "a short leaf", by, call: calls.revealLeaf(id, move.data.slice(0, -1)) },
      { what: "a long leaf", by, call: calls.revealLeaf(id, Buffer.concat([move.data, Buffer.of(0)])) },
      { what: "a leaf with another bit", by, call: calls.revealLeaf(id, flipped(move.data, world)) },
      { what: "a leaf as a node", by, call: calls.reveal(id, [flipped(new Uint8Array(32), world)]) },
    ];
  return [];
}

function twistedAsks(world: World, id: Hex): Mischief[] {
  const { of, challenger } = world.gameOf(id);
  const ask = randomAsk(world, id);
  if (!ask) return [];
  const { child, node, path, record } = ask;
  const asks: [string, Ask][] = [
    ["the next child by this one's node", { ...ask, child: child + 1 }],
    ["the child before by this one's node", { ...ask, child: child === 0 ? 2 ** 31 : child - 1 }],
    ["a node with another bit", { ...ask, node: flipped(node, world) }],
    ["a path that is too long", { ...ask, path: [...path, node] }],
    ...(path.length > 0 ? pathTwists(ask, world) : []),
    ...(record ? recordTwists({ ...ask, record }, world) : []),
  ];
  return asks.map(([what, each]) => ({ what, by: challenger.address, call: calls.ask(id, of, each) }));
}

const pathTwists = (ask: Ask, world: World): [string, Ask][] => [
  ["a path that is too short", { ...ask, path: ask.path.slice(1) }],
  ["a path with another bit", { ...ask, path: [flipped(ask.path[0] as Uint8Array, world), ...ask.path.slice(1)] }],
];

const recordTwists = (ask: Ask & { record: NonNullable<Ask["record"]> }, world: World): [string, Ask][] => {
  const { record } = ask;
  return [
    ["no record", { ...ask, record: undefined }],
    ["a record of another number", { ...ask, record: { ...record, index: record.index ^ 1 } }],
    ["a record with another bit", { ...ask, record: { ...record, data: flipped(record.data, world) } }],
    ["a record that is cut", { ...ask, record: { ...record, data: record.data.slice(0, -1) } }],
    ["a record whose path is cut", { ...ask, record: { ...record, path: record.path.slice(1) } }],
  ];
};

function flipped(bytes: Uint8Array, { draws }: World): Uint8Array {
  const changed = bytes.slice();
  const at = draws.below(bytes.length);
  changed[at] = (changed[at] ?? 0) ^ (1 << draws.below(8));
  return changed;
}

const text = (nodes: readonly Uint8Array[]) => nodes.map((node) => bytesToHex(node)).join();
