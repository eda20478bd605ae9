import type { Job, MoveResult, Want } from "../engine.ts";
import { BYTES, type Program, sizeAt } from "../program.ts";
import { BLOCK_ROWS, type Evaluator, type Row, type Scene, type Sink } from "./evaluate.ts";
import type { Folds } from "./folds.ts";
import type { Arena } from "./memory.ts";
import { placeAt, shapeOf } from "./places.ts";

export type WholeJobParts = { program: Program; folds: Folds; arena: Arena; evaluator: Evaluator };

/** Places the tensors of a job in the arena; the blocks are the caller's to free. */
export function placeTensors(
  { program, arena }: WholeJobParts,
  { T, request, claimed }: Job,
  blocks: number[],
): Scene["tensors"] {
  const decls = [...program.requests, ...program.claimed];
  return [...request, ...claimed].map((bytes, index) => {
    const decl = decls[index] as Program["requests"][number];
    const base = arena.allocate(bytes.length);
    blocks.push(base);
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

/** Runs one stage for all of its steps, in blocks of rows; order 2 step by step. */
export function runStage(
  { program, folds, evaluator }: WholeJobParts,
  stage: number,
  scene: Scene,
  options: { needs: Uint8Array; sinksAt(t: number): Sink[] },
): void {
  const decl = program.stages[stage] as Program["stages"][number];
  const steps = sizeAt(decl.steps, { t: 0, T: scene.T });
  const first = folds.firstOf[stage] as number;
  for (let start = 0; start < steps; start += BLOCK_ROWS) {
    const rows: Row[] = [];
    for (let t = start; t < Math.min(steps, start + BLOCK_ROWS); t++)
      rows.push({ scene, t, slot: t - start, needs: options.needs, sinks: options.sinksAt(t) });
    if (decl.order === 2) {
      for (const row of rows)
        for (const fold of decl.folds.keys()) if (options.needs[first + fold]) evaluator.fold(first + fold, row);
    } else evaluator.rows(first, rows);
  }
}

/** Runs a whole job, stage by stage, with every step of a fold in memory until its last load. */
export function runWhole(parts: WholeJobParts, job: Job & { want: Want[] }): MoveResult {
  const { program, folds, arena } = parts;
  const { T, want } = job;
  const blocks: number[] = [];
  const held = new Map<number, number>();
  try {
    const scene: Scene = { T, places: folds.codes.map(() => undefined), tensors: placeTensors(parts, job, blocks) };
    const stepsOf = (stage: number) => sizeAt(program.stages[stage]?.steps ?? 1, { t: 0, T });
    const sinks = want.map((wanted) => sinkFor(parts, wanted, { from: 0, end: stepsOf(wanted.stage), T }));
    const { needs, lastUse, onlyBefore } = usesOf(
      folds,
      sinks.map(({ fold }) => fold),
    );
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
      const ofStage = sinks.filter(({ fold }) => fold >= first && fold < end);
      const wantedAt = (t: number) =>
        ofStage.filter((sink) => want[sinks.indexOf(sink)]?.steps === "all" || t === steps - 1);
      if (isNeeded) runStage(parts, stage, scene, { needs, sinksAt: wantedAt });
      for (const [id, base] of held)
        if ((lastUse[id] ?? -1) < end) {
          arena.free(base);
          held.delete(id);
        }
    }
    return sinks.map(({ out }) => out);
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
