// Moves at the court that are remembered and made again where they must change nothing.
import type { CourtMoves } from "@foldmark/node";
import { FoldmarkError } from "@foldmark/protocol";

type Name = Exclude<keyof CourtMoves, "approve" | "withdraw" | "withdrawReward">;
const NAMES: readonly Name[] = ["challenge", "post", "reveal", "revealLeaf", "ask", "refute", "timeout", "takeBond"];

export type Recorded = { move: Name; again(): Promise<unknown> };

/** The contract's error with which a move is refused, `reverted` where only its receipt says so, or `done`. */
export async function refusalOf(move: Promise<unknown>): Promise<string> {
  try {
    await move;
    return "done";
  } catch (error) {
    if (error instanceof FoldmarkError && error.code === "chain.reverted")
      return String(error.details.error ?? "reverted");
    throw error;
  }
}

/** The same moves; `after` is called with each that is on the chain. */
export function recorded(moves: CourtMoves, after: (made: Recorded) => Promise<void>): CourtMoves {
  const record = <Made extends Name>(name: Made): CourtMoves[Made] => {
    const make = moves[name] as (...args: unknown[]) => Promise<unknown>;
    const recording = async (...args: unknown[]) => {
      const moved = await make(...args);
      await after({ move: name, again: () => make(...args) });
      return moved;
    };
    return recording as unknown as CourtMoves[Made];
  };
  return { ...moves, ...Object.fromEntries(NAMES.map((name) => [name, record(name)])) };
}
