import type { DecodedExpression, Expression, Load } from "../expression.ts";
import { type ElementType, type Program, type Stage, size, sizeAt, tensorAt } from "../program.ts";
import { type Evidence, evidenceOf } from "./evidence.ts";
import { isVarying, type KShape, kShapes } from "./kShape.ts";
import { CODE_HEADER_BYTES, expressionsOf } from "./wellFormed.ts";

/** What it takes at most to refute one element of a fold, at T = maxT. */
export type FoldCost = {
  stage: number;
  fold: number;
  /** Loads of body and finish. */
  loads: number;
  codeBytes: number;
  /** Leaves, paths, records and code of a refutation, in bytes. */
  evidenceBytes: number;
  gas: number;
  /** Loads in a sum of more than 64 terms that are neither fixed nor a run over k. */
  scattered: readonly Load[];
};

/** The most terms over which a load may be scattered: one opening each. */
export const MAX_SCATTERED_TERMS = 64;

/** Upper bound of one refutation's bytes and gas: a property of this version of the machine. */
export function costOfFold(
  program: Program,
  { stage: stageIndex, fold: foldIndex }: { stage: number; fold: number },
  evidence: Evidence = evidenceOf(program),
): FoldCost {
  const stage = program.stages[stageIndex];
  const fold = stage?.folds[foldIndex];
  if (!stage || !fold) throw new RangeError(`There is no fold ${foldIndex} in stage ${stageIndex}.`);
  const { body, finish } = expressionsOf(program, stageIndex, foldIndex);
  const terms = fold.combine === "sum" ? largest(fold.axis, program, stage) : 1;
  const shapes = kShapes(program, body, fold.combine === "sum");
  const codeBytes = CODE_HEADER_BYTES + fold.body.length + fold.finish.length;

  const bodyTimes = fold.combine === "argmax" ? 2 : 1;
  let evidenceBytes = evidence.fold(stageIndex, foldIndex).fixed + codeBytes;
  let gas = 0;
  const scattered: Load[] = [];
  for (const load of body.loads) {
    const opening = evidence.of(load, stageIndex);
    const shape = shapes.get(load);
    evidenceBytes +=
      bodyTimes * (shape === "run" ? opening.run(terms) : shape === "vector" ? terms * opening.fixed : opening.fixed);
    gas += bodyTimes * GAS.load + (shape === "vector" ? terms * GAS.scatteredLoad : 0);
    if (shape === "vector" && terms > MAX_SCATTERED_TERMS) scattered.push(load);
  }
  for (const load of finish?.loads ?? []) {
    evidenceBytes += evidence.of(load, stageIndex).fixed;
    gas += GAS.load;
  }
  const loads = [...body.loads, ...(finish?.loads ?? [])];
  for (const record of evidence.records(loads, stageIndex)) evidenceBytes += record;

  gas += bodyTimes * operationGas(body) + (finish ? operationGas(finish) : 0);
  gas += terms * termGas(program, stage, body, shapes);
  return {
    stage: stageIndex,
    fold: foldIndex,
    loads: loads.length,
    codeBytes,
    evidenceBytes,
    gas: GAS.base + GAS.evidenceByte * evidenceBytes + gas,
    scattered,
  };
}

const GAS = {
  base: 500_000,
  evidenceByte: 40,
  load: 60_000,
  scatteredLoad: 56_000,
  operation: 4_000,
  philox: 6_000,
  cheap: 1_000,
  runUsed: 250,
  termArithmetic: 300,
  termOther: 900,
  termPhilox: 3_000,
  dotI8: 20,
  dotI16: 90,
} as const;

/** What every operation costs once, whatever it works on. Literals, variables and picks are cheap; loads are counted apart. */
function operationGas({ nodes, picks }: DecodedExpression): number {
  let gas = picks * GAS.cheap;
  for (const node of nodes) {
    if (isLoadOp(node)) continue;
    if (node.args.length === 0) gas += GAS.cheap;
    else gas += node.op === "philox" ? GAS.philox : GAS.operation;
  }
  return gas;
}

/** Gas of one term: of what differs from term to term. */
function termGas(
  program: Program,
  stage: Stage,
  body: DecodedExpression,
  shapes: ReadonlyMap<Expression, KShape>,
): number {
  const dot = dotGas(program, stage, body, shapes);
  if (dot !== undefined) return dot;
  let gas = shapes.get(body.root) === "run" ? GAS.runUsed : 0;
  for (const node of body.nodes) {
    gas += node.args.filter((arg) => shapes.get(arg) === "run").length * GAS.runUsed;
    if (isLoadOp(node) || shapes.get(node) !== "vector") continue;
    if (node.op === "philox") gas += GAS.termPhilox;
    else gas += node.op === "add" || node.op === "sub" || node.op === "mul" ? GAS.termArithmetic : GAS.termOther;
  }
  return gas;
}

/** A body whose only work over k is the product of two runs, i8 x i8 or i16 x i8 with the wider first, has a fast path. */
function dotGas(
  program: Program,
  stage: Stage,
  body: DecodedExpression,
  shapes: ReadonlyMap<Expression, KShape>,
): number | undefined {
  const varying = body.nodes.filter((node) => isVarying(shapes.get(node)));
  const [first, second, product] = varying;
  if (varying.length !== 3 || product !== body.root || product?.op !== "mul") return undefined;
  if (product.args[0] !== first || product.args[1] !== second) return undefined;
  const runs = body.loads.filter((load) => (load === first || load === second) && shapes.get(load) === "run");
  const types = runs.map((load) => typeOf(program, stage, load)).join(" ");
  return types === "i8 i8" ? GAS.dotI8 : types === "i16 i8" ? GAS.dotI16 : undefined;
}

const isLoadOp = ({ op }: Expression): boolean => op === "tensor" || op === "fold" || op === "now" || op === "prev";

function typeOf(program: Program, stage: Stage, load: Load): ElementType | undefined {
  if (load.op === "tensor") return tensorAt(program, load.tensor)?.type;
  return (load.op === "fold" ? program.stages[load.stage] : stage)?.folds[load.fold]?.type;
}

/** The most a size of a fold is worth: at T = maxT, in the last step. */
const largest = (encoded: number, program: Program, stage: Stage): number => {
  const at = { t: 0, T: program.maxT };
  return size.kind(encoded) === 2 ? sizeAt(stage.steps, at) : sizeAt(encoded, at);
};
