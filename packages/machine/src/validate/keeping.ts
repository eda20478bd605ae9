import type { Load } from "../expression.ts";
import type { Program, Stage } from "../program.ts";
import { isPerStep } from "./stepwise.ts";
import { expressionsOf } from "./wellFormed.ts";

/**
 * How much of a fold a session keeps. `whole`: a constant number of steps, computed when the session opens. `every`: all
 * steps, because another step or the last stage loads them. `before`: the step before, because only that one is loaded.
 * `nothing`: it is needed at the step that is being computed only. `last`: the last stage, computed when T is known.
 */
export type Keeping = "whole" | "every" | "before" | "nothing" | "last";

/** What sessions of a program keep and compute. Folds are numbered through all stages. */
export type SessionNeeds = {
  keeping: Keeping[];
  /** Folds that every step must compute, because later steps need them. */
  always: Uint8Array;
  /** Kept folds that the last stage loads: which of their steps were computed is recorded. */
  recorded: Uint8Array;
  /** Folds that a fold outside their own stage loads. */
  byOtherStages: Uint8Array;
  /** Adds what a fold needs at the same step, itself included. */
  addNeeds(fold: number, needs: Uint8Array): void;
};

/** Derives what a session keeps from the loads of a program that can be computed step by step. */
export function sessionNeeds(program: Program): SessionNeeds {
  const { stageOf, firstOf } = foldNumbers(program);
  const lastFold = firstOf.at(-1) as number;
  const flags = () => new Uint8Array(stageOf.length);
  const [atOtherSteps, before, byOtherStages, recorded] = [flags(), flags(), flags(), flags()];
  const stage = (fold: number) => program.stages[stageOf[fold] as number] as Stage;
  const sameStep: number[][] = stageOf.map(() => []);
  for (const [fold, own] of stageOf.entries())
    for (const load of loadsOf(program, own, fold - (firstOf[own] as number))) {
      if (load.op === "tensor") continue;
      const loaded = (firstOf[load.op === "fold" ? load.stage : own] as number) + load.fold;
      const isCurrent = load.op === "now" || (load.op === "fold" && isAtOwnStep(load, stage(fold), stage(loaded)));
      if (isCurrent) sameStep[fold]?.push(loaded);
      if (fold >= lastFold) {
        if (loaded < lastFold && isPerStep(stage(loaded))) recorded[loaded] = 1;
      } else if (load.op === "prev") before[loaded] = 1;
      else if (!isCurrent && isPerStep(stage(loaded))) atOtherSteps[loaded] = 1;
      if (load.op === "fold") byOtherStages[loaded] = 1;
    }
  const keeping = stageOf.map((_, fold): Keeping => {
    if (fold >= lastFold) return "last";
    if (!isPerStep(stage(fold))) return "whole";
    if (atOtherSteps[fold] || recorded[fold]) return "every";
    return before[fold] ? "before" : "nothing";
  });
  const addNeeds = (fold: number, needs: Uint8Array) => {
    const pending = [fold];
    for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
      if (needs[id] || keeping[id] === "whole") continue;
      needs[id] = 1;
      pending.push(...(sameStep[id] as number[]));
    }
  };
  const always = flags();
  for (let fold = 0; fold < lastFold; fold++) if (atOtherSteps[fold] || before[fold]) addNeeds(fold, always);
  return { keeping, always, recorded, byOtherStages, addNeeds };
}

/** Numbers folds through all stages: the stage of each, and the first of each stage. */
export function foldNumbers({ stages }: Program): { stageOf: number[]; firstOf: number[] } {
  const stageOf = stages.flatMap(({ folds }, stage) => folds.map(() => stage));
  let first = 0;
  const firstOf = stages.map(({ folds }) => {
    first += folds.length;
    return first - folds.length;
  });
  return { stageOf, firstOf };
}

function loadsOf(program: Program, stage: number, fold: number): Load[] {
  const { body, finish } = expressionsOf(program, stage, fold);
  return [...body.loads, ...(finish?.loads ?? [])];
}

/** A load of a fold at step t, by a stage that takes as many steps. */
const isAtOwnStep = (load: Load & { op: "fold" }, own: Stage, loaded: Stage): boolean =>
  load.args[0]?.op === "t" && loaded.steps === own.steps;
