import { readElement } from "../elements.ts";
import type { TensorBytes } from "../engine.ts";
import { type Program, sizeAt, tensorsOf } from "../program.ts";
import type { Operands } from "./element.ts";

/** What the tensors of a job and of its program hold. Constants may be fetched when they are asked for. */
export type TensorInputs = {
  T: number;
  request: readonly TensorBytes[];
  claimed: readonly TensorBytes[];
  constant: (index: number) => TensorBytes;
};

/** Reads elements of tensors by their number over requests, claimed tensors and constants. */
export function tensorOperand(program: Program, inputs: () => TensorInputs): Operands["tensor"] {
  const decls = tensorsOf(program);
  const [requests, claimedToo] = [program.requests.length, program.requests.length + program.claimed.length];
  return (tensor, row, col) => {
    const { T, request, claimed, constant } = inputs();
    const decl = decls[tensor];
    const bytes =
      tensor < requests
        ? request[tensor]
        : tensor < claimedToo
          ? claimed[tensor - requests]
          : constant(tensor - claimedToo);
    if (!decl || !bytes) throw new RangeError(`There is no tensor ${tensor}.`);
    return readElement(decl.type, bytes, row * sizeAt(decl.cols, { t: 0, T }) + col);
  };
}

/**
 * Operands for `element` from what an engine gave out: `matrix` is the bytes of a fold at one step, rows by columns. Only
 * what the element loads is asked for, so that single elements of a large model can be recomputed.
 */
export function operandsFrom(
  program: Program,
  inputs: TensorInputs,
  matrix: (stage: number, fold: number, t: number) => TensorBytes,
): Operands {
  return {
    tensor: tensorOperand(program, () => inputs),
    fold: ({ stage, fold, t, r, c }) => {
      const decl = program.stages[stage]?.folds[fold];
      if (!decl) throw new RangeError(`There is no fold ${fold} in stage ${stage}.`);
      return readElement(decl.type, matrix(stage, fold, t), r * sizeAt(decl.cols, { t, T: inputs.T }) + c);
    },
  };
}
