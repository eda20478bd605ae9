import { closeSync, openSync, readSync } from "node:fs";
import type { ConstantSource, Program } from "@foldmark/machine";
import { WorkloadError } from "../errors.ts";
import { constantExtents, type Extent, extentOf } from "./constants.ts";

/** Reads constants from `tensors.bin` when they are asked for. Throws `package.constant` for a number out of range. */
export function constantsOf(path: string, program: Program): ConstantSource {
  const extents = constantExtents(program);
  return (index, into) => readExtent(path, extentOf(extents, index), into);
}

function readExtent(path: string, { offset, bytes }: Extent, into?: Uint8Array): Uint8Array {
  const buffer = into?.length === bytes ? into : new Uint8Array(bytes);
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
