import { type ArgmaxLeaf, argmaxLeaf } from "./argmaxForm.ts";
import type { KernelFamily } from "./kernelFamily.ts";
import { type BlockShape, blockShapeOf } from "./lines.ts";
import type { Lowered } from "./lower.ts";
import { type RunDot, runDotOf } from "./runDot.ts";
import type { FoldCode } from "./sites.ts";
import { mapLeaves, type VectorCases, type VectorLeaf, vectorCases } from "./vectorCases.ts";
import { type VectorLoop, vectorValues } from "./vectorForm.ts";

/**
 * The loop whose neighbouring iterations share a vector. In a loop over columns or rows, sums and argmaxes run over k
 * with an element in each lane.
 */
export type VectorForm<L extends VectorLeaf = VectorLeaf> = { loop: VectorLoop; cases: VectorCases<L> };
/** Elements in blocks: their sums as dots of runs, what follows the sum in vectors of four columns. */
export type BlockForm = { shape: BlockShape; vector: VectorLeaf & { loop: VectorLoop } };
/**
 * How the loops of a fold are written: dots of runs, in blocks where that is possible; an argmax over k; vectors with
 * scalars for the rest; or scalars alone.
 */
export type LoopForm = {
  checked: boolean;
  runDot?: RunDot | undefined;
  blocks?: BlockForm | undefined;
  argmax?: VectorForm<ArgmaxLeaf> | undefined;
  vector?: VectorForm | undefined;
};

/** Iterations from which vectors can pay. */
export const WORTH_VECTORS = 4;

export type LoopOptions = {
  /** Loads record what they read: they are scalar. */
  checked: boolean;
  /** Kernels to do without. */
  without: ReadonlySet<KernelFamily>;
};

export function loopFormOf(code: FoldCode, lowered: Lowered, { checked, without }: LoopOptions): LoopForm {
  if (checked) return { checked };
  const runDot = without.has("runs") ? undefined : runDotOf(code, lowered);
  if (without.has("vectors")) return { checked, runDot };
  if (runDot !== undefined) return { checked, runDot, blocks: blockForm(lowered, runDot) };
  const { graph, term, element, axis } = lowered;
  if (axis === undefined || term === undefined || axis.max < WORTH_VECTORS)
    return { checked, vector: overElements(lowered) };
  const loop: VectorLoop = { variable: "k", level: 3 };
  const cases = vectorCases(graph, term, loop);
  if (cases === undefined) return { checked };
  if (element !== undefined) return { checked, vector: { loop, cases } };
  return { checked, argmax: { loop, cases: mapLeaves(cases, (leaf) => argmaxLeaf(graph, leaf, loop)) } };
}

/** Over columns where there are enough of them, else over rows. */
function overElements(lowered: Lowered): VectorForm | undefined {
  const { term, rows, cols } = lowered;
  const loop: VectorLoop | undefined =
    cols.max >= WORTH_VECTORS
      ? { variable: "c", level: 2 }
      : rows.max >= WORTH_VECTORS
        ? { variable: "r", level: 1 }
        : undefined;
  if (loop === undefined) return undefined;
  const cases = term === undefined ? splitElements(lowered, loop) : reducedInLanes(lowered, loop);
  return cases && { loop, cases };
}

/** Elements without a sum: each case also computes where they are stored, if they are no neighbours. */
function splitElements({ graph, element, outAddress, ...rest }: Lowered, loop: VectorLoop): VectorCases | undefined {
  const cases = element && vectorCases(graph, element, loop);
  if (cases === undefined || (loop.variable === "c" && rest.outRowAddress !== undefined)) return cases;
  return mapLeaves(cases, (leaf) => ({ ...leaf, ...vectorValues([leaf.root, outAddress], loop) }));
}

/** A short sum or argmax for each lane. */
function reducedInLanes({ graph, term, element, outAddress }: Lowered, loop: VectorLoop): VectorLeaf | undefined {
  const acc = graph.nodes.find(({ op }) => op === "acc");
  const root = element ?? term;
  if (root === undefined || term === undefined) return undefined;
  const values = vectorValues([root, term, outAddress], loop, acc);
  return values && { root, ...values };
}

/** Undefined where what follows the sum has no vector form. */
function blockForm(lowered: Lowered, runDot: RunDot): BlockForm | undefined {
  const { graph, element, cols, outRowAddress } = lowered;
  if (element === undefined || outRowAddress === undefined || cols.max < WORTH_VECTORS) return undefined;
  const loop: VectorLoop = { variable: "c", level: 2 };
  const acc = graph.nodes.find(({ op }) => op === "acc");
  const values = vectorValues([element], loop, acc);
  return values && { shape: blockShapeOf(lowered, runDot), vector: { loop, root: element, ...values } };
}
