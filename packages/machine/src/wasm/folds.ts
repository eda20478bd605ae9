import type { Program } from "../program.ts";
import { isPerStep } from "../validate/stepwise.ts";
import { type FoldCode, readFold, type Site } from "./sites.ts";

/** Every fold of a program, numbered through all stages, and who loads whom. */
export type Folds = {
  codes: FoldCode[];
  /** Number of a stage's first fold. */
  firstOf: number[];
  /** The fold that a site loads; undefined for a tensor. */
  target(site: Site): number | undefined;
};

export function readFolds(program: Program): Folds {
  const codes: FoldCode[] = [];
  const firstOf = program.stages.map(({ folds }, stage) => {
    const first = codes.length;
    for (const fold of folds.keys()) codes.push(readFold(program, stage, fold));
    return first;
  });
  const target = (site: Site) => (site.via === "tensor" ? undefined : (firstOf[site.stage] as number) + site.fold);
  return { codes, firstOf, target };
}

/**
 * How a session stores a fold. `whole`: a constant number of steps, computed when the session opens. `kept`: every step,
 * because another step or the last stage loads it. `ring`: so many steps, because only the step before is loaded.
 * `transient`: until the end of the block of rows. `last`: the last stage, computed when T is known.
 */
export type Storage = { kind: "whole" | "kept" | "transient" | "last" } | { kind: "ring"; steps: number };

export type SessionFolds = {
  storage: Storage[];
  /** Folds that every step must compute, because later steps need them. */
  always: Uint8Array;
  /** Kept folds that the last stage loads: which of their steps were computed is recorded. */
  recorded: Uint8Array;
  /** Adds what a fold needs at the same step, itself included. */
  addNeeds(fold: number, needs: Uint8Array): void;
};

/** Derives what a session keeps from the loads of a program that can be computed step by step. */
export function sessionFolds(program: Program, folds: Folds, blockRows: number): SessionFolds {
  const { codes, firstOf, target } = folds;
  const lastFold = firstOf.at(-1) as number;
  const count = codes.length;
  const [atOtherSteps, before, byOtherStages, recorded] = [flags(count), flags(count), flags(count), flags(count)];
  for (const [id, code] of codes.entries())
    for (const site of code.sites) {
      const loaded = target(site);
      if (loaded === undefined || site.via === "tensor") continue;
      const perStep = isPerStep(stageOf(program, codes[loaded]));
      if (id >= lastFold) {
        if (loaded < lastFold && perStep) recorded[loaded] = 1;
      } else if (site.via === "prev") before[loaded] = 1;
      else if (site.via === "fold" && !site.current && perStep) atOtherSteps[loaded] = 1;
      if (site.via === "fold") byOtherStages[loaded] = 1;
    }
  const storage = codes.map((code, id): Storage => {
    if (id >= lastFold) return { kind: "last" };
    if (!isPerStep(stageOf(program, code))) return { kind: "whole" };
    if (atOtherSteps[id] || recorded[id]) return { kind: "kept" };
    if (before[id]) return { kind: "ring", steps: byOtherStages[id] ? blockRows + 1 : 2 };
    return { kind: "transient" };
  });
  const addNeeds = (fold: number, needs: Uint8Array) => {
    const pending = [fold];
    for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
      if (needs[id] || storage[id]?.kind === "whole") continue;
      needs[id] = 1;
      for (const site of codes[id]?.sites ?? []) {
        const loaded = target(site);
        if (loaded !== undefined && site.via !== "tensor" && site.via !== "prev" && site.current) pending.push(loaded);
      }
    }
  };
  const always = flags(count);
  for (let id = 0; id < lastFold; id++) if (atOtherSteps[id] || before[id]) addNeeds(id, always);
  return { storage, always, recorded, addNeeds };
}

const flags = (count: number) => new Uint8Array(count);
const stageOf = (program: Program, code: FoldCode | undefined) =>
  program.stages[code?.stage ?? 0] as Program["stages"][number];
