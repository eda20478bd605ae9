import type { Node } from "./graph.ts";
import type { KernelFamily } from "./kernelFamily.ts";
import { type BlockShape, blockShapeOf } from "./lines.ts";
import type { Lowered } from "./lower.ts";
import { ofType, within } from "./ranges.ts";
import { type RunDot, runDotOf } from "./runDot.ts";
import type { FoldCode } from "./sites.ts";
import { type VectorLoop, vectorValues } from "./vectorForm.ts";

export type VectorForm = { loop: VectorLoop; inside: Node[]; outside: Node[] };
/** Elements in blocks: their sums as dots of runs, what follows the sum in vectors of four columns. */
export type BlockForm = { shape: BlockShape; vector: VectorForm };
/**
 * How the loops of a fold are written: dots of runs, in blocks where that is possible; vectors with scalars for the rest;
 * or scalars alone.
 */
export type LoopForm = {
  runDot?: RunDot | undefined;
  blocks?: BlockForm | undefined;
  vector?: VectorForm | undefined;
};

/** Iterations from which vectors can pay. */
const WORTH_VECTORS = 4;

export type LoopOptions = {
  /** Loads record what they read: they are scalar. */
  checked: boolean;
  /** Kernels to do without. */
  without: ReadonlySet<KernelFamily>;
};

export function loopFormOf(code: FoldCode, lowered: Lowered, { checked, without }: LoopOptions): LoopForm {
  const { axis, term, element, cols, outRowAddress } = lowered;
  if (checked) return {};
  if (axis !== undefined && term !== undefined) {
    const runDot = without.has("runs") ? undefined : runDotOf(code, lowered);
    if (runDot !== undefined)
      return { runDot, blocks: without.has("vectors") ? undefined : blockForm(lowered, runDot) };
    if (without.has("vectors")) return {};
    if (axis.max < WORTH_VECTORS || term.level !== 3) return {};
    if (element === undefined && !within(term.range, ofType.i32)) return {};
    return { vector: vectorForm(term, { variable: "k", level: 3 }) };
  }
  if (element === undefined || outRowAddress === undefined || cols.max < WORTH_VECTORS || element.level !== 2)
    return {};
  if (without.has("vectors")) return {};
  return { vector: vectorForm(element, { variable: "c", level: 2 }) };
}

/** Undefined where what follows the sum has no vector form. */
function blockForm(lowered: Lowered, runDot: RunDot): BlockForm | undefined {
  const { graph, element, cols, outRowAddress } = lowered;
  if (element === undefined || outRowAddress === undefined || cols.max < WORTH_VECTORS) return undefined;
  const loop: VectorLoop = { variable: "c", level: 2 };
  const acc = graph.nodes.find(({ op }) => op === "acc");
  const values = vectorValues([element], loop, acc);
  return values && { shape: blockShapeOf(lowered, runDot), vector: { loop, ...values } };
}

function vectorForm(root: Node, loop: VectorLoop): VectorForm | undefined {
  const values = vectorValues([root], loop);
  return values && { loop, ...values };
}
