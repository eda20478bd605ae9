// The two seats of a game as the node's own strategy plays them, on any chain.

import { type ChallengerMove, challengerMove } from "../../../packages/node/src/disputes/game/challengerMove.ts";
import type { CourtEvent } from "../../../packages/node/src/disputes/game/courtEvents.ts";
import { takeReveals } from "../../../packages/node/src/disputes/game/courtEvents.ts";
import type { Dispute, Game } from "../../../packages/node/src/disputes/game/game.ts";
import { type PayeeMove, payeeMove } from "../../../packages/node/src/disputes/game/payeeMove.ts";
import { RevealedTree } from "../../../packages/node/src/disputes/game/revealedTree.ts";
import type { Subject } from "./subject.ts";

export type At = { game: Game; dispute: Dispute; now: number };

/** What the automatic challenger does next. It knows its own trace and what the court was shown. */
export async function challengersMove(
  { program, own, clear, preimage }: Subject,
  { game, dispute, now }: At,
  events: readonly CourtEvent[],
): Promise<ChallengerMove> {
  if (clear)
    return game.turn === "lost" || game.turn === "won" ? { kind: "over" } : { kind: "refute", refutation: clear };
  if (!own) throw new Error("nobody challenges a statement that has no trace and is not clearly false");
  let theirs: RevealedTree | undefined;
  if (dispute.traceRoot) {
    theirs = new RevealedTree({ program, T: preimage.T, root: dispute.traceRoot });
    takeReveals(theirs, events);
  }
  return challengerMove({ game, dispute, program, own, theirs, now: BigInt(now) });
}

/** What a payee does next that shows what it has, be it true or not. `wait` where it has nothing to show. */
export async function payeesMove({ shown }: Subject, { game, dispute, now }: At): Promise<PayeeMove> {
  const { root, nodes, leaf } = shown;
  const nothing = () => Promise.reject(new NothingToShow());
  const own = {
    ...{ T: 0, root, firstFalse: undefined, nodes: nodes ?? nothing, leaf: leaf ?? nothing },
    ...{ refutation: nothing, close: async () => undefined },
  };
  try {
    return await payeeMove({ game, dispute, own, now: BigInt(now) });
  } catch (error) {
    if (error instanceof NothingToShow) return { kind: "wait" };
    throw error;
  }
}

class NothingToShow extends Error {}
