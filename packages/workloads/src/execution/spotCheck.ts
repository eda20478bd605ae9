import { type ConstantSource, type Engine, element, readElement, sizeAt, tensorsOf } from "@foldmark/machine";
import type { AnsweredJob } from "./job.ts";

export type SpotCheckOptions = {
  job: AnsweredJob;
  /** The constants that the engine was opened with. */
  constants: ConstantSource;
  /** Elements of each fold that are recomputed. */
  perFold: number;
  /** Numbers in [0, 1). */
  random(): number;
};

export type SpotDifference = {
  stage: number;
  fold: number;
  t: number;
  r: number;
  c: number;
  computed: bigint;
  expected: bigint;
};

/**
 * Recomputes single elements of a job by the definition of the machine, from operands that the engine computed: an engine
 * is right if and only if every element follows from its operands. For models that are too large for the reference whole.
 * Keeps every element of the job in memory, so T should be small.
 */
export function spotCheck(
  engine: Engine,
  { job, constants, perFold, random }: SpotCheckOptions,
): { elements: number; differences: SpotDifference[] } {
  const { program } = engine;
  const { T, request, claimed } = job;
  const places = program.stages.flatMap(({ folds }, stage) => folds.map((_, fold) => ({ stage, fold })));
  const results = engine.run({ ...job, want: places.map((place) => ({ ...place, steps: "all" as const })) });
  const computed = new Map(places.map(({ stage, fold }, i) => [`${stage} ${fold}`, results[i] as Uint8Array]));

  const shapeAt = (stage: number, fold: number, t: number) => {
    const declared = program.stages[stage]?.folds[fold];
    if (!declared) throw new RangeError(`There is no fold ${fold} in stage ${stage}.`);
    return { type: declared.type, rows: sizeAt(declared.rows, { t, T }), cols: sizeAt(declared.cols, { t, T }) };
  };
  const starts = new Map<string, number[]>(); // elements before each step
  const startOf = (stage: number, fold: number, step: number): number => {
    const known = starts.get(`${stage} ${fold}`) ?? [0];
    starts.set(`${stage} ${fold}`, known);
    for (let t = known.length; t <= step; t++) {
      const { rows, cols } = shapeAt(stage, fold, t - 1);
      known.push((known[t - 1] as number) + rows * cols);
    }
    return known[step] as number;
  };
  const value = ({
    stage,
    fold,
    t,
    r,
    c,
  }: {
    stage: number;
    fold: number;
    t: number;
    r: number;
    c: number;
  }): bigint => {
    const { type, cols } = shapeAt(stage, fold, t);
    return readElement(type, computed.get(`${stage} ${fold}`) as Uint8Array, startOf(stage, fold, t) + r * cols + c);
  };
  const tensors = tensorsOf(program);
  const given = [...request, ...claimed];
  const bytesOf = new Map<number, Uint8Array>();
  const tensor = (number: number, row: number, col: number): bigint => {
    const bytes = given[number] ?? bytesOf.get(number) ?? constants(number - given.length);
    bytesOf.set(number, bytes);
    const { type, cols } = tensors[number] as (typeof tensors)[number];
    return readElement(type, bytes, row * sizeAt(cols, { t: 0, T }) + col);
  };

  const differences: SpotDifference[] = [];
  const below = (count: number) => Math.floor(random() * count);
  let elements = 0;
  for (const { stage, fold } of places) {
    const steps = sizeAt(program.stages[stage]?.steps ?? 1, { t: 0, T });
    for (let i = 0; i < perFold; i++) {
      const t = below(steps);
      const { rows, cols } = shapeAt(stage, fold, t);
      const at = { stage, fold, t, r: below(rows), c: below(cols) };
      const expected = element(program, at, { T, operands: { tensor, fold: value } });
      if (value(at) !== expected) differences.push({ ...at, computed: value(at), expected });
      elements++;
    }
  }
  return { elements, differences };
}
