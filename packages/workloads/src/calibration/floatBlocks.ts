import type { FloatKernels } from "./floatKernels.ts";

/** Positions that a panel of weights serves before the next one is read. */
export const BLOCK = 64;

export const roundUp = (n: number, multiple: number): number => Math.ceil(n / multiple) * multiple;

/** A matrix in the kernels' memory. */
export type Placed = { address: number; rows: number; inner: number; paddedRows: number };

/** Copies a matrix into the kernels' memory, with rows of zeros up to a multiple of 4. */
export function place(kernels: FloatKernels, matrix: Float32Array, rows: number, inner: number): Placed {
  const paddedRows = roundUp(rows, 4);
  const address = kernels.allocate(paddedRows * inner);
  kernels.view(address, matrix.length).set(matrix);
  return { address, rows, inner, paddedRows };
}
