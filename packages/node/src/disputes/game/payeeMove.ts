import { isLeaf } from "@foldmark/machine";
import type { DisputeTrace } from "../traces/disputeTrace.ts";
import { type Dispute, type Game, isOver, REVEAL_DEPTH } from "./game.ts";

/** What the payee's seat does next. */
export type PayeeMove =
  | { kind: "wait" }
  | { kind: "over" }
  | { kind: "timeout" }
  | { kind: "post"; traceRoot: Uint8Array }
  | { kind: "reveal"; nodes: Uint8Array[] }
  | { kind: "revealLeaf"; data: Uint8Array };

export type PayeeView = { game: Game; dispute: Dispute; own: DisputeTrace; now: bigint };

/**
 * The next move of a defence: show what was asked for. A challenger who asks no more has lost, which frees the stake and
 * brings half of its bond.
 */
export async function payeeMove({ game, dispute, own, now }: PayeeView): Promise<PayeeMove> {
  if (isOver(game) || dispute.convictedAt > 0n) return { kind: "over" };
  if (game.turn === "challenger") return now > game.deadline ? { kind: "timeout" } : { kind: "wait" };
  if (now > game.deadline) return { kind: "over" }; // too late: the contract takes no more of this seat's moves
  if (!dispute.traceRoot) return { kind: "post", traceRoot: own.root };
  const { position } = game;
  if (isLeaf(position)) {
    const { stage, fold, t, index } = position;
    return { kind: "revealLeaf", data: await own.leaf({ stage, fold, t }, index) };
  }
  return { kind: "reveal", nodes: await own.nodes(position, Math.min(REVEAL_DEPTH, position.height)) };
}
