import type { Expression } from "../../expression.ts";
import { type Program, size } from "../../program.ts";
import { type FoldCode, operandOf } from "../sites.ts";

/** A sum over k of a row of a constant i8 matrix with a row of activations: what the dot kernels compute. */
export type DotForm = {
  /** Site of the matrix and of the activations. */
  weights: number;
  activations: number;
  /** Number of the matrix among all tensors. */
  tensor: number;
  /** Terms of a sum, and elements of a step: row e of the matrix gives element e. */
  terms: number;
  elements: number;
  activationBits: 8 | 16;
};

/**
 * Recognises `sum over k < K of x[t, 0, k] * W[e, k]` (either operand first), where e is the number of the element, W is a
 * constant i8 matrix with K columns and x is stored row by row. Anything else is computed by loops.
 */
export function dotFormOf(program: Program, code: FoldCode): DotForm | undefined {
  const { decl, body } = code;
  if (decl.combine !== "sum" || body.root.op !== "mul" || size.kind(decl.axis) !== 0) return undefined;
  if (size.kind(decl.rows) !== 0 || size.kind(decl.cols) !== 0) return undefined;
  const [rows, cols, terms] = [size.n(decl.rows), size.n(decl.cols), size.n(decl.axis)];
  const [first, second] = body.root.args;
  const [matrix, activation] = first?.op === "tensor" ? [first, second] : [second, first];
  if (matrix?.op !== "tensor" || activation === undefined) return undefined;
  const constants = program.requests.length + program.claimed.length;
  const { type, rows: height, cols: width } = operandOf(program, { via: "tensor", tensor: matrix.tensor });
  if (matrix.tensor < constants || type !== "i8" || width !== terms || height < rows * cols) return undefined;
  const [row, col] = matrix.args;
  if (col?.op !== "k" || !isElementNumber(row, rows, cols)) return undefined;

  if (activation.op !== "fold" && activation.op !== "now") return undefined;
  const site = code.siteOf.get(activation) as number;
  const use = code.sites[site];
  if (use === undefined || use.via === "tensor" || !use.current) return undefined;
  const source = operandOf(program, use);
  const [sourceRow, sourceCol] = activation.args.slice(-2);
  if (!isLiteral(sourceRow, 0n) || sourceCol?.op !== "k" || source.order === 1) return undefined;
  if (size.kind(source.cols) !== 0 || size.n(source.cols) < terms) return undefined;
  if (source.type !== "i8" && source.type !== "i16") return undefined;
  return {
    weights: code.siteOf.get(matrix) as number,
    activations: site,
    tensor: matrix.tensor,
    terms,
    elements: rows * cols,
    activationBits: source.type === "i8" ? 8 : 16,
  };
}

const isLiteral = (node: Expression | undefined, value: bigint): boolean =>
  node?.op === "literal" && node.value === value;

/** `c` in one row, `r` in one column, or `r * columns + c`. */
function isElementNumber(row: Expression | undefined, rows: number, cols: number): boolean {
  if (row?.op === "c") return rows === 1;
  if (row?.op === "r") return cols === 1;
  if (row?.op !== "add") return false;
  const [a, b] = row.args;
  const [scaled, column] = b?.op === "c" ? [a, b] : [b, a];
  if (column?.op !== "c" || scaled?.op !== "mul") return false;
  const [x, y] = scaled.args;
  const width = BigInt(cols);
  return (x?.op === "r" && isLiteral(y, width)) || (y?.op === "r" && isLiteral(x, width));
}
