import type { Job, MoveResult, Want } from "../engine.ts";
import { tensorByteLength } from "../job.ts";
import { type Program, sizeAt } from "../program.ts";
import type { Scene, Tap } from "./evaluate.ts";
import type { Folds } from "./folds.ts";
import { blockBytes } from "./memory.ts";
import { placeAt, type Shape, shapeOf } from "./places.ts";
import { placeTensors, runStage, sinkFor, type WholeJobParts } from "./wholeJob.ts";

/** What computing the last stage of a job of T steps takes. */
export function lastStageBytes({ program, folds }: WholeJobParts, T: number): number {
  const tensors = [...program.requests, ...program.claimed].map((decl) => tensorByteLength(decl, T));
  const stored = lastFolds(program, folds, T).map(({ shape }) => shape.bytes);
  return [...tensors, ...stored].reduce((sum, bytes) => sum + blockBytes(bytes), 0);
}

/**
 * Computes the last stage of a job over what a session keeps. Undefined where it loads a step of a fold that was not
 * computed: then nothing can be said.
 * @throws `machine.out_of_memory`
 */
export function runLastStage(
  parts: WholeJobParts,
  kept: Scene,
  { job, wants, taps = [] }: { job: Job; wants: Want[]; taps?: readonly (Tap | undefined)[] },
): MoveResult | undefined {
  const { program, folds, evaluator, lastStage } = parts;
  const { T } = job;
  const stage = program.stages.length - 1;
  const steps = sizeAt(program.stages[stage]?.steps ?? 1, { t: 0, T });
  lastStage.fit(lastStageBytes(parts, T));
  let next = lastStage.base;
  const allocate = (bytes: number) => {
    next += blockBytes(bytes);
    return next - blockBytes(bytes);
  };
  const scene: Scene = { T, places: kept.places.slice(), tensors: placeTensors(parts, job, allocate) };
  for (const { id, shape } of lastFolds(program, folds, T)) scene.places[id] = placeAt(allocate(shape.bytes), shape);
  const sinks = wants.map((wanted) => sinkFor(parts, wanted, { from: 0, end: steps, T }));
  const needs = new Uint8Array(folds.codes.length).fill(1);
  evaluator.takeMissing();
  const sinksAt = (t: number) => sinks.filter((_, i) => wants[i]?.steps === "all" || t === steps - 1);
  runStage(parts, stage, scene, { needs, sinksAt, taps });
  return evaluator.takeMissing() ? undefined : sinks.map(({ out }) => out);
}

function lastFolds(program: Program, { codes, firstOf }: Folds, T: number): { id: number; shape: Shape }[] {
  const steps = sizeAt(program.stages.at(-1)?.steps ?? 1, { t: 0, T });
  const first = firstOf.at(-1) as number;
  return codes.slice(first).map((code, at) => ({ id: first + at, shape: shapeOf(code, { steps, T, history: steps }) }));
}
