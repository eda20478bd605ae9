import {
  descendants,
  nodesAt,
  type Position,
  type Program,
  type Refutation,
  recordsOf,
  tensorsOf,
} from "@foldmark/machine";
import { leafHash, openRange } from "@foldmark/machine/commitments";
import { FoldmarkError } from "@foldmark/protocol";
import type { DisputeTrace } from "../traces/disputeTrace.ts";
import { descend, leftmostDifference } from "./descent.ts";
import { type Dispute, type Game, isOver } from "./game.ts";
import { isSame, type RevealedTree } from "./revealedTree.ts";

/** A record of the program with its path under programRoot. */
export type StageRecord = { index: number; data: Uint8Array; path: Uint8Array[] };

/** What the challenger's seat does next. `concede`: its own trace shows nothing wrong. */
export type ChallengerMove =
  | { kind: "wait" }
  | { kind: "over" }
  | { kind: "concede" }
  | { kind: "timeout" }
  | { kind: "refute"; refutation: Refutation }
  | {
      kind: "ask";
      /** Where the game will be. */
      position: Position;
      child: number;
      node: Uint8Array;
      path: Uint8Array[];
      record: StageRecord | undefined;
    };

export type ChallengerView = {
  game: Game;
  dispute: Dispute;
  program: Program;
  own: DisputeTrace;
  /** Everything that the payee has shown, on the chain or to this challenger; undefined while no root is posted. */
  theirs: RevealedTree | undefined;
  /** Chain time in unix seconds. */
  now: bigint;
};

/**
 * The next move of a challenge. Equal roots: the payee itself has committed to a last stage that is not 1. Else down along
 * the leftmost difference, until a leaf is known that does not follow from what lies to its left.
 */
export async function challengerMove({
  game,
  dispute,
  program,
  own,
  theirs,
  now,
}: ChallengerView): Promise<ChallengerMove> {
  if (isOver(game) || dispute.convictedAt > 0n) return { kind: "over" };
  if (theirs && dispute.traceRoot && isSame(dispute.traceRoot, own.root))
    return own.firstFalse ? { kind: "refute", refutation: await own.refutation() } : { kind: "concede" };
  if (theirs && dispute.traceRoot) {
    const descent = await descend({ program, own, theirs });
    if (descent.found === "leaf")
      return {
        kind: "refute",
        refutation: await own.refutation({ reveals: theirs.reveals, leaf: descent.leaf }),
      };
  }
  if (game.turn === "payee") return now > game.deadline ? { kind: "timeout" } : { kind: "wait" };
  if (!theirs) return { kind: "wait" };
  return ask({ game, program, own, theirs });
}

async function ask({
  game: { id, position, depth, node },
  program,
  own,
  theirs,
}: Pick<ChallengerView, "game" | "program" | "own"> & { theirs: RevealedTree }): Promise<ChallengerMove> {
  const { height, first, count } = descendants(position, depth);
  const nodes =
    depth === 0
      ? [node]
      : Array.from({ length: count }, (_, i) => {
          const shown = theirs.node({ ...position, height, index: first + i });
          if (shown) return shown;
          // an endpoint whose state is ahead of its events, or a chain reorganised between two questions: look again
          throw new FoldmarkError(
            "chain.unreachable",
            "The chain tells of nodes that the court was shown, and not of the events that showed them.",
            { details: { dispute: id, list: position.list, height, index: first + i }, hint: "Ask it again." },
          );
        });
  const next = await leftmostDifference({ position, depth, nodes }, { program, own });
  const child = childNumber(next, { position, height });
  const shown = nodes[child - first];
  if (!shown) throw new Error(`node ${child} is none of those shown`);
  const entered = next.list === position.list ? undefined : next.stage;
  return {
    kind: "ask",
    position: next,
    child,
    node: shown,
    path: [...openRange(nodes, child - first).siblings],
    record: entered === undefined ? undefined : stageRecord(program, entered),
  };
}

/** The number of the node of a list that leads to a position in it or in a list below it. */
function childNumber(next: Position, { position, height }: { position: Position; height: number }): number {
  if (next.list === position.list) return next.index;
  const element = position.list === "stages" ? next.stage : position.list === "steps" ? next.t : next.fold;
  if (height !== 0 || element >= nodesAt(position.length, 0)) throw new Error("a list is entered at its elements");
  return element;
}

/** Stages are numbered behind the tensors. */
export function stageRecord(program: Program, stage: number): StageRecord {
  const records = recordsOf(program);
  const index = tensorsOf(program).length + stage;
  const data = records[index];
  if (!data) throw new Error(`there is no stage ${stage}`);
  return { index, data, path: [...openRange(records.map(leafHash), index).siblings] };
}
