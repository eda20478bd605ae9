// What the court will say, worked out from the rules and compared.
import type { Hex } from "viem";
import type { Sent } from "./chain.ts";
import type { World } from "./world.ts";

/** Throws where what came of a transaction is not what was foretold: `done`, or an error by name. */
export function foretold(what: string, expected: string, sent: Sent): void {
  const got = sent.ok ? "done" : sent.error;
  if (got !== expected) throw new Error(`${what}: ${got}, not ${expected}`);
}

/** What a timeout of these comes to. */
export function timeoutOf({ replay, now }: World, ids: readonly Hex[]): string {
  const lost = new Set<Hex>();
  const convicted = new Set<Hex>();
  for (const id of ids) {
    const digest = replay.games.get(id)?.digest ?? "0x";
    if (!replay.isOpen(id) || lost.has(id) || convicted.has(digest) || now <= replay.deadline(id)) continue;
    if (replay.turn(id) === "challenger") lost.add(id);
    else {
      const head = replay.openOf(digest).find((each) => !lost.has(each));
      if (head && replay.turn(head) === "challenger" && now > replay.deadline(head)) return "ExpiredFirst";
      convicted.add(digest);
    }
  }
  return lost.size + convicted.size > 0 ? "done" : "NothingToEnd";
}
