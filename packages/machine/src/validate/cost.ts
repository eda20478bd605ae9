import type { DecodedExpression, Expression, Load } from "../expression.ts";
import { BYTES, type ElementType, type Fold, type Program, type Stage, size, sizeAt, tensorsOf } from "../program.ts";
import { isVarying, type KShape, kShapes } from "./kShape.ts";
import { CODE_HEADER_BYTES, expressionsOf, largestTensorBytes } from "./wellFormed.ts";

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

const HASH = 32;
const LEAF = 1_024;
const OPENING = 320;
const RECORD = 192;
const TENSOR_RECORD_BYTES = 9;
/** The most terms over which a load may be scattered: one opening each. */
export const MAX_SCATTERED_TERMS = 64;

/** Upper bound of one refutation's bytes and gas: a property of this version of the machine. */
export function costOfFold(program: Program, stageIndex: number, foldIndex: number): FoldCost {
  const stage = program.stages[stageIndex];
  const fold = stage?.folds[foldIndex];
  if (!stage || !fold) throw new RangeError(`There is no fold ${foldIndex} in stage ${stageIndex}.`);
  const { body, finish } = expressionsOf(program, stageIndex, foldIndex);
  const terms = fold.combine === "sum" ? largest(fold.axis, program, stage) : 1;
  const shapes = kShapes(program, body, fold.combine === "sum");
  const opens = openingsOf(program, stageIndex);
  const codeBytes = CODE_HEADER_BYTES + fold.body.length + fold.finish.length;

  const bodyTimes = fold.combine === "argmax" ? 2 : 1;
  let evidenceBytes = opens.fold(stageIndex, foldIndex).fixed + codeBytes;
  let gas = 0;
  const scattered: Load[] = [];
  for (const load of body.loads) {
    const opening = opens.of(load);
    const shape = shapes.get(load);
    evidenceBytes +=
      bodyTimes * (shape === "run" ? opening.run(terms) : shape === "vector" ? terms * opening.fixed : opening.fixed);
    gas += bodyTimes * GAS.load + (shape === "vector" ? terms * GAS.scatteredLoad : 0);
    if (shape === "vector" && terms > MAX_SCATTERED_TERMS) scattered.push(load);
  }
  for (const load of finish?.loads ?? []) {
    evidenceBytes += opens.of(load).fixed;
    gas += GAS.load;
  }
  for (const record of opens.records([...body.loads, ...(finish?.loads ?? [])])) evidenceBytes += record;

  gas += bodyTimes * scalarGas(body, shapes) + (finish ? scalarGas(finish, new Map()) : 0);
  gas += terms * termGas(program, stage, body, shapes);
  return {
    stage: stageIndex,
    fold: foldIndex,
    loads: body.loads.length + (finish?.loads.length ?? 0),
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
  scalar: 4_000,
  scalarPhilox: 6_000,
  cheap: 1_000,
  runUsed: 250,
  termArithmetic: 300,
  termOther: 900,
  termPhilox: 3_000,
  dotI8: 20,
  dotI16: 90,
} as const;

/** Operations that are the same for all k or affine in k. Literals, variables and picks are cheap; loads are counted apart. */
function scalarGas({ nodes, picks }: DecodedExpression, shapes: ReadonlyMap<Expression, KShape>): number {
  let gas = picks * GAS.cheap;
  for (const node of nodes) {
    if (isLoadOp(node)) continue;
    if (node.args.length === 0) gas += GAS.cheap;
    else if (!isVarying(shapes.get(node))) gas += node.op === "philox" ? GAS.scalarPhilox : GAS.scalar;
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
  if (load.op === "tensor") return tensorsOf(program)[load.tensor]?.type;
  return (load.op === "fold" ? program.stages[load.stage] : stage)?.folds[load.fold]?.type;
}

/** The most a size of a fold is worth: at T = maxT, in the last step. */
const largest = (encoded: number, program: Program, stage: Stage): number => {
  const at = { t: 0, T: program.maxT };
  return size.kind(encoded) === 2 ? sizeAt(stage.steps, at) : sizeAt(encoded, at);
};

/** Length of the longest path in a list. */
const pathLength = (count: number): number => (count <= 1 ? 0 : Math.ceil(Math.log2(count)));

/** Bytes of an opening: of one leaf, or of the leaves that a run of elements may touch. */
type OpeningBytes = { fixed: number; run: (terms: number) => number };

function openingsOf(program: Program, stageIndex: number) {
  const tensors = tensorsOf(program);
  const lengths = [program.requests, program.claimed, program.constants].flatMap((list) => list.map(() => list.length));
  const records = tensors.length + program.stages.length;
  const at = { t: 0, T: program.maxT };

  const opening = (type: ElementType, bytes: number, above: number): OpeningBytes => {
    const leaves = Math.ceil(bytes / LEAF);
    const path = pathLength(leaves);
    return {
      fixed: OPENING + LEAF + HASH * (path + above),
      run: (terms) => {
        const touched = Math.min(leaves, Math.ceil((terms * BYTES[type] + LEAF) / LEAF));
        return OPENING + LEAF * touched + HASH * (2 * path + above);
      },
    };
  };
  const ofFold = (stage: number, fold: number): OpeningBytes => {
    const holder = program.stages[stage];
    const decl: Fold | undefined = holder?.folds[fold];
    if (!holder || !decl) throw new RangeError(`There is no fold ${fold} in stage ${stage}.`);
    const inLoop = holder.order === 2 ? pathLength(holder.folds.length) + pathLength(sizeAt(holder.steps, at)) : 0;
    return opening(
      decl.type,
      Number(largestTensorBytes(program, holder, decl)),
      pathLength(program.stages.length) + inLoop,
    );
  };
  const ofTensor = (tensor: number): OpeningBytes => {
    const decl = tensors[tensor];
    if (!decl) throw new RangeError(`There is no tensor ${tensor}.`);
    return opening(
      decl.type,
      sizeAt(decl.rows, at) * sizeAt(decl.cols, at) * BYTES[decl.type],
      pathLength(lengths[tensor] ?? 1),
    );
  };
  const record = (bytes: number) => bytes + HASH * pathLength(records) + RECORD;
  const stageRecord = (stage: number) => record(5 + 41 * (program.stages[stage]?.folds.length ?? 0));

  return {
    fold: ofFold,
    of: (load: Load): OpeningBytes => {
      if (load.op === "tensor") return ofTensor(load.tensor);
      return load.op === "fold" ? ofFold(load.stage, load.fold) : ofFold(stageIndex, load.fold);
    },
    /** Bytes of each record that a refutation shows: the fold's own and those of its operands, once each. */
    records: (loads: readonly Load[]): number[] => {
      const stages = new Set([stageIndex, ...loads.flatMap((load) => (load.op === "fold" ? [load.stage] : []))]);
      const named = new Set(loads.flatMap((load) => (load.op === "tensor" ? [load.tensor] : [])));
      return [...[...stages].map(stageRecord), ...[...named].map(() => record(TENSOR_RECORD_BYTES))];
    },
  };
}
