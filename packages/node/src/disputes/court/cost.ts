import {
  examineProgram,
  foldsPosition,
  leavesPosition,
  type Program,
  rootPosition,
  stepsOf,
  stepsPosition,
} from "@foldmark/machine";
import { REVEAL_DEPTH } from "../game/game.ts";

/** Gas of the moves, a little above the largest that was measured on a model of 577 stages at T = 512. */
export const MOVE_GAS = {
  approve: 60_000n,
  challenge: 400_000n,
  post: 70_000n,
  /** With the record of the stage that it enters. */
  ask: 115_000n,
  reveal: 95_000n,
  revealLeaf: 95_000n,
  takeBond: 80_000n,
  withdraw: 60_000n,
} as const;

/** Reveals of nodes until a leaf is reached, at most, for a job of T steps: those of its deepest fold. */
export function roundsOf(program: Program, T: number): number {
  const down = (height: number) => Math.ceil(height / REVEAL_DEPTH);
  const below = program.stages.flatMap((stage, at) => {
    const lastStep = stage.order === 2 ? stepsOf(stage, T) - 1 : 0;
    const lists =
      stage.order === 2 ? down(stepsPosition(program, at, T).height) + down(foldsPosition(program, at, 0).height) : 0;
    return stage.folds.map(
      (_, fold) => lists + down(leavesPosition(program, { stage: at, fold, t: lastStep }, T).height),
    );
  });
  return down(rootPosition(program).height) + Math.max(...below);
}

/** Gas of a whole defence of one challenge: the root, every reveal, and the leaf. */
export const gasOfDefence = (program: Program, T: number): bigint =>
  MOVE_GAS.post + BigInt(roundsOf(program, T)) * MOVE_GAS.reveal + MOVE_GAS.revealLeaf;

/** Gas of a whole challenge that wins: at least where the node shows its tree, at most where everything is asked for. */
export function gasOfChallenge(program: Program, T: number): { least: bigint; most: bigint } {
  const refute = BigInt(Math.ceil(Math.max(...examineProgram(program).costs.map(({ gas }) => gas))));
  const least = MOVE_GAS.approve + MOVE_GAS.challenge + refute + MOVE_GAS.takeBond + 2n * MOVE_GAS.withdraw;
  return { least, most: least + BigInt(roundsOf(program, T) + 1) * MOVE_GAS.ask };
}
