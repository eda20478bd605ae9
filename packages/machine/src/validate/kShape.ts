import type { DecodedExpression, Expression, Load } from "../expression.ts";
import { type Program, size } from "../program.ts";

/**
 * How a value of a body changes from term to term: `free` of k, `unit` (k + e), `affine` (e k + f), a `run` of adjacent
 * elements, or a `vector` of anything.
 */
export type KShape = "free" | "unit" | "affine" | "run" | "vector";

export const isVarying = (shape: KShape | undefined): boolean => shape === "run" || shape === "vector";

/** The shape of every value of a body. Outside sums there is one term, and everything is free. */
export function kShapes(program: Program, body: DecodedExpression, isSum: boolean): Map<Expression, KShape> {
  const shapes = new Map<Expression, KShape>();
  for (const node of body.nodes) shapes.set(node, isSum ? shapeOf(node) : "free");
  return shapes;

  function shapeOf(node: Expression): KShape {
    const args = node.args.map((arg) => shapes.get(arg) ?? "free");
    if (node.op === "k") return "unit";
    if (args.every((shape) => shape === "free")) return "free";
    if (node.op === "tensor" || node.op === "fold" || node.op === "now" || node.op === "prev")
      return isRun(program, node, args) ? "run" : "vector";
    if (args.some(isVarying)) return "vector";
    const [a = "free", b = "free"] = args;
    switch (node.op) {
      case "add":
        return a === "free" ? b : b === "free" ? a : "affine";
      case "sub":
        return b === "free" ? a : "affine";
      case "mul":
        return a === "free" || b === "free" ? "affine" : "vector";
      default:
        return "vector";
    }
  }
}

/** Column = k + e with the rest fixed; or step = k + e with the rest fixed, where steps lie side by side. */
function isRun(program: Program, load: Load, args: readonly KShape[]): boolean {
  const isUnitOnlyAt = (along: number) => args.every((shape, i) => (i === along ? shape === "unit" : shape === "free"));
  const stage = load.op === "fold" ? program.stages[load.stage] : undefined;
  if (stage?.order === 1) return isUnitOnlyAt(0);
  const fold = stage?.folds[0];
  const isScalar = stage?.order === 0 && fold?.rows === size.fixed(1) && fold.cols === size.fixed(1);
  return isUnitOnlyAt(args.length - 1) || (isScalar && isUnitOnlyAt(0));
}
