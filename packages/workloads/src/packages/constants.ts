import { BYTES, type Program, size, type TensorDecl } from "@foldmark/machine";
import { WorkloadError } from "../errors.ts";

/** Bytes of a constant. Its sizes are fixed ones, as every well-formed program has them. */
export const constantBytes = ({ type, rows, cols }: TensorDecl): number => BYTES[type] * size.n(rows) * size.n(cols);

/** Bytes of a file, from `offset` on. */
export type Extent = { offset: number; bytes: number };

/** Where the constants lie in `tensors.bin`: one after the other, in order, without gaps. */
export function constantExtents(program: Program): Extent[] {
  let offset = 0;
  return program.constants.map((declaration) => {
    const extent = { offset, bytes: constantBytes(declaration) };
    offset += extent.bytes;
    return extent;
  });
}

/** Where one of them lies. Throws `package.constant` for a number out of range. */
export function extentOf(extents: readonly Extent[], index: number): Extent {
  const extent = extents[index];
  if (extent) return extent;
  const message = `There is no constant ${index}, the program has ${extents.length}.`;
  throw new WorkloadError("package.constant", message, { index, constants: extents.length });
}
