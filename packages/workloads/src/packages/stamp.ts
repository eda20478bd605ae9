import { open, readFile, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { canonicalJson } from "./canonicalJson.ts";
import type { Hex } from "./hex.ts";

/**
 * Remembers that `tensors.bin` was hashed and found right, so that the next start need not hash it again. It holds as long
 * as the file has the same size, time of change and inode. Whoever can write the folder can forge it: it saves time on
 * one's own machine and proves nothing.
 */
const STAMP_FILE = "verified.json";
const schema = z.strictObject({ packageHash: z.string(), tensors: z.string() });

export async function hasStamp(dir: string, packageHash: Hex): Promise<boolean> {
  let text: string;
  try {
    text = await readFile(join(dir, STAMP_FILE), "utf8");
  } catch {
    return false; // not there, or not readable: hash again
  }
  const stamp = await schema.safeParseAsync(jsonOrNull(text));
  return stamp.success && stamp.data.packageHash === packageHash && stamp.data.tensors === (await tensorsIdentity(dir));
}

/**
 * Remembers the file as it was before it was hashed, so that a change meanwhile does not pass. Leaves no stamp in a folder that may
 * not be written: the next start hashes again.
 */
export async function writeStamp(dir: string, stamp: { packageHash: Hex; tensors: string }): Promise<void> {
  const path = join(dir, STAMP_FILE);
  const temporary = `${path}.${process.pid}.part`;
  try {
    const handle = await open(temporary, "w");
    await handle.writeFile(canonicalJson(stamp));
    await handle.close();
    await rename(temporary, path);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (!["EACCES", "EPERM", "EROFS", "ENOSPC"].includes(code)) throw error;
  }
}

/** What changes whenever `tensors.bin` does. */
export async function tensorsIdentity(dir: string): Promise<string> {
  const { size, mtimeNs, ctimeNs, ino } = await stat(join(dir, "tensors.bin"), { bigint: true });
  return [size, mtimeNs, ctimeNs, ino].join(" ");
}

function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
