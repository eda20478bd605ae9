import type { Job, MoveResult, Want } from "../engine.ts";
import { BYTES, type Program, sizeAt } from "../program.ts";
import { BLOCK_ROWS, type Evaluator, type Row, type Scene, type Sink, type Tap } from "./evaluate.ts";
import type { Folds } from "./folds.ts";
import type { HeldBlock } from "./heldBlock.ts";
import type { Arena } from "./memory.ts";
import { placeAt, shapeOf } from "./places.ts";

export type WholeJobParts = {
  program: Program;
  folds: Folds;
  arena: Arena;
  evaluator: Evaluator;
  /** Where a last stage is computed over what a session keeps. */
  lastStage: HeldBlock;
};

/** Places the tensors of a job in the arena, in blocks that `allocate` gives. */
export function placeTensors(
  { program, arena }: WholeJobParts,
  { T, request, claimed }: Job,
  allocate: (bytes: number) => number,
): Scene["tensors"] {
  const decls = [...program.requests, ...program.claimed];
  return [...request, ...claimed].map((bytes, index) => {
    const decl = decls[index] as Program["requests"][number];
    const base = allocate(bytes.length);
    arena.bytes.set(bytes, base);
    return { base, rowStride: sizeAt(decl.cols, { t: 0, T }) * BYTES[decl.type] };
  });
}

/** Room for what a caller wants of one fold: of every step from `from` on, or of the last one. */
export function sinkFor(
  { program, folds }: WholeJobParts,
  { stage, fold, steps }: Want,
  at: { from: number; end: number; T: number },
): Sink {
  const decl = program.stages[stage]?.folds[fold];
  if (decl === undefined) throw new RangeError(`no fold ${stage}.${fold}`);
  let bytes = 0;
  for (let t = steps === "last" ? at.end - 1 : at.from; t < at.end; t++)
    bytes += sizeAt(decl.rows, { t, T: at.T }) * sizeAt(decl.cols, { t, T: at.T }) * BYTES[decl.type];
  return { fold: (folds.firstOf[stage] as number) + fold, out: new Uint8Array(bytes), at: 0 };
}

export type StageOptions = { needs: Uint8Array; sinksAt(t: number): Sink[]; taps?: readonly (Tap | undefined)[] };

/** Runs one stage for all of its steps, in blocks of rows; order 2 step by step. */
export function runStage(parts: WholeJobParts, stage: number, scene: Scene, options: StageOptions): void {
  for (const _ of stageBlocks(parts, stage, scene, options));
}

/** `runStage` with a pause after each block; says how many steps it computed. */
export function* stageBlocks(
  { program, folds, evaluator }: WholeJobParts,
  stage: number,
  scene: Scene,
  { needs, sinksAt, taps = [] }: StageOptions,
): Generator<number> {
  const decl = program.stages[stage] as Program["stages"][number];
  const steps = sizeAt(decl.steps, { t: 0, T: scene.T });
  const first = folds.firstOf[stage] as number;
  for (let start = 0; start < steps; start += BLOCK_ROWS) {
    const rows: Row[] = [];
    for (let t = start; t < Math.min(steps, start + BLOCK_ROWS); t++)
      rows.push({ scene, t, slot: t - start, needs, sinks: sinksAt(t), taps });
    if (decl.order === 2) {
      for (const row of rows) {
        evaluator.ask();
        for (const fold of decl.folds.keys()) if (needs[first + fold]) evaluator.fold(first + fold, row);
      }
    } else evaluator.rows(first, rows);
    yield rows.length;
  }
}

/** Runs a whole job, stage by stage, with every step of a fold in memory until its last load. */
export function runWhole(parts: WholeJobParts, job: Job & { want: Want[] }): MoveResult {
  const { program } = parts;
  const { T, want } = job;
  const stepsOf = (stage: number) => sizeAt(program.stages[stage]?.steps ?? 1, { t: 0, T });
  const sinks = want.map((wanted) => sinkFor(parts, wanted, { from: 0, end: stepsOf(wanted.stage), T }));
  const sinksAt = (stage: number, t: number) =>
    sinks.filter((_, i) => want[i]?.stage === stage && (want[i]?.steps === "all" || t === stepsOf(stage) - 1));
  const wanted = sinks.map(({ fold }) => fold);
  for (const _ of wholeBlocks(parts, job, { wanted, sinksAt }));
  return sinks.map(({ out }) => out);
}

export type WholeOptions = {
  /** Folds to compute, by number, with what they load. */
  wanted: number[];
  sinksAt?(stage: number, t: number): Sink[];
  taps?: readonly (Tap | undefined)[];
};

/** Runs a whole job with a pause after each block of rows; says how many steps it computed. */
export function* wholeBlocks(
  parts: WholeJobParts,
  job: Job,
  { wanted, sinksAt = () => [], taps = [] }: WholeOptions,
): Generator<number> {
  const { program, folds, arena } = parts;
  const { T } = job;
  const blocks: number[] = [];
  const held = new Map<number, number>();
  try {
    const tensors = placeTensors(parts, job, (bytes) => {
      const base = arena.allocate(bytes);
      blocks.push(base);
      return base;
    });
    const scene: Scene = { T, places: folds.codes.map(() => undefined), tensors };
    const stepsOf = (stage: number) => sizeAt(program.stages[stage]?.steps ?? 1, { t: 0, T });
    const { needs, lastUse, onlyBefore } = usesOf(folds, wanted);
    for (const stage of program.stages.keys()) {
      const first = folds.firstOf[stage] as number;
      const end = folds.firstOf[stage + 1] ?? folds.codes.length;
      const steps = stepsOf(stage);
      let isNeeded = false;
      for (let id = first; id < end; id++) {
        const code = folds.codes[id];
        if (!needs[id] || code === undefined) continue;
        isNeeded = true;
        const ring = onlyBefore[id] && code.order === 2 ? 2 : 0;
        const shape = shapeOf(code, { steps: ring === 0 ? steps : ring, T, history: steps });
        const base = arena.allocate(shape.bytes);
        held.set(id, base);
        scene.places[id] = placeAt(base, shape, { ring });
      }
      if (isNeeded) yield* stageBlocks(parts, stage, scene, { needs, sinksAt: (t) => sinksAt(stage, t), taps });
      for (const [id, base] of held)
        if ((lastUse[id] ?? -1) < end) {
          arena.free(base);
          held.delete(id);
        }
    }
  } finally {
    for (const block of [...blocks, ...held.values()]) arena.free(block);
  }
}

/** Which folds a run needs, the last fold that loads each, and which are loaded by their own loop only. */
function usesOf(
  { codes, target }: Folds,
  wanted: number[],
): { needs: Uint8Array; lastUse: number[]; onlyBefore: boolean[] } {
  const needs = new Uint8Array(codes.length);
  const pending = [...wanted];
  const lastUse = codes.map((_, id) => id);
  const onlyBefore = codes.map(() => true);
  for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
    if (needs[id]) continue;
    needs[id] = 1;
    for (const site of codes[id]?.sites ?? []) {
      const loaded = target(site);
      if (loaded === undefined) continue;
      pending.push(loaded);
      lastUse[loaded] = Math.max(lastUse[loaded] as number, id);
      if (site.via === "fold") onlyBefore[loaded] = false;
    }
  }
  return { needs, lastUse, onlyBefore };
}
