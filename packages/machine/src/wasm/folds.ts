import type { Program } from "../program.ts";
import { type SessionNeeds, sessionNeeds } from "../validate/keeping.ts";
import { rowsApart } from "./rowsApart.ts";
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
  const apart = rowsApart(codes, target);
  return { codes: codes.map((code, id) => ({ ...code, rowsApart: apart[id] as boolean })), firstOf, target };
}

/**
 * How a session stores a fold. `whole`: a constant number of steps, computed when the session opens. `kept`: every step,
 * because another step or the last stage loads it. `ring`: so many steps, because only the step before is loaded.
 * `transient`: until the end of the block of rows. `last`: the last stage, computed when T is known.
 */
export type Storage = { kind: "whole" | "kept" | "transient" | "last" } | { kind: "ring"; steps: number };

export type SessionFolds = SessionNeeds & { storage: Storage[] };

/** `blockRows`: steps of one session that are computed together. */
export function sessionFolds(program: Program, blockRows: number): SessionFolds {
  const needs = sessionNeeds(program);
  const storage = needs.keeping.map((keeps, fold): Storage => {
    if (keeps === "before") return { kind: "ring", steps: needs.byOtherStages[fold] ? blockRows + 1 : 2 };
    return { kind: STORED[keeps] };
  });
  return { ...needs, storage };
}

const STORED = { whole: "whole", every: "kept", nothing: "transient", last: "last" } as const;
