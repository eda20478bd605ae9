import { closeSync, openSync, readSync } from "node:fs";
import { BYTES, type ConstantSource, type Program, size, type TensorDecl } from "@foldmark/machine";
import { WorkloadError } from "../errors.ts";

/** Bytes of a constant. Its sizes are fixed ones, as every well-formed program has them. */
export const constantBytes = ({ type, rows, cols }: TensorDecl): number => BYTES[type] * size.n(rows) * size.n(cols);

/** Where the constants lie in `tensors.bin`: one after the other, in order, without gaps. */
export function constantExtents(program: Program): { offset: number; bytes: number }[] {
  let offset = 0;
  return program.constants.map((declaration) => {
    const extent = { offset, bytes: constantBytes(declaration) };
    offset += extent.bytes;
    return extent;
  });
}

/** Reads constants from `tensors.bin` when they are asked for. Throws `package.constant` for a number out of range. */
export function constantsOf(path: string, program: Program): ConstantSource {
  const extents = constantExtents(program);
  return (index) => {
    const extent = extents[index];
    if (!extent) {
      const message = `There is no constant ${index}, the program has ${extents.length}.`;
      throw new WorkloadError("package.constant", message, { index, constants: extents.length });
    }
    return readExtent(path, extent);
  };
}

function readExtent(path: string, { offset, bytes }: { offset: number; bytes: number }): Uint8Array {
  const buffer = new Uint8Array(bytes);
  const handle = openSync(path, "r");
  try {
    for (let filled = 0; filled < bytes; ) {
      const read = readSync(handle, buffer, filled, Math.min(bytes - filled, 1 << 30), offset + filled);
      if (read === 0) {
        const message = `${path} ends before byte ${offset + bytes}.`;
        throw new WorkloadError("package.size", message, { file: path, needed: offset + bytes, read: offset + filled });
      }
      filled += read;
    }
    return buffer;
  } finally {
    closeSync(handle);
  }
}
