import type { Job, MoveResult, Want } from "../engine.ts";
import { type Program, sizeAt } from "../program.ts";
import type { Scene, Tap } from "./evaluate.ts";
import { placeAt, shapeOf } from "./places.ts";
import type { FoldCode } from "./sites.ts";
import { placeTensors, runStage, sinkFor, type WholeJobParts } from "./wholeJob.ts";

/**
 * Computes the last stage of a job over what a session keeps. Undefined where it loads a step of a fold that was not
 * computed: then nothing can be said.
 */
export function runLastStage(
  parts: WholeJobParts,
  kept: Scene,
  { job, wants, taps = [] }: { job: Job; wants: Want[]; taps?: readonly (Tap | undefined)[] },
): MoveResult | undefined {
  const { program, folds, arena, evaluator } = parts;
  const { T } = job;
  const stage = program.stages.length - 1;
  const decl = program.stages[stage] as Program["stages"][number];
  const steps = sizeAt(decl.steps, { t: 0, T });
  const blocks: number[] = [];
  try {
    const scene: Scene = { T, places: kept.places.slice(), tensors: placeTensors(parts, job, blocks) };
    for (let id = folds.firstOf[stage] as number; id < folds.codes.length; id++) {
      const shape = shapeOf(folds.codes[id] as FoldCode, { steps, T, history: steps });
      const base = arena.allocate(shape.bytes);
      blocks.push(base);
      scene.places[id] = placeAt(base, shape);
    }
    const sinks = wants.map((wanted) => sinkFor(parts, wanted, { from: 0, end: steps, T }));
    const needs = new Uint8Array(folds.codes.length).fill(1);
    evaluator.takeMissing();
    const sinksAt = (t: number) => sinks.filter((_, i) => wants[i]?.steps === "all" || t === steps - 1);
    runStage(parts, stage, scene, { needs, sinksAt, taps });
    return evaluator.takeMissing() ? undefined : sinks.map(({ out }) => out);
  } finally {
    for (const block of blocks) arena.free(block);
  }
}
