import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { WorkloadError } from "../errors.ts";
import type { KnownFile } from "./facts.ts";
import type { StepOptions } from "./progress.ts";

/** Bytes of a file, or undefined where there is none. */
export async function sizeOf(path: string): Promise<number | undefined> {
  try {
    const status = await stat(path);
    return status.isFile() ? status.size : undefined;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw error;
  }
}

/** Throws `model.missing`, `model.size` or `model.hash` with the file and both values. */
export async function checkFile(
  path: string,
  known: KnownFile,
  { onProgress, signal }: StepOptions = {},
): Promise<void> {
  const size = await sizeOf(path);
  if (size === undefined)
    throw new WorkloadError("model.missing", `${path} is missing, or is no file.`, { file: path });
  if (size !== known.sizeBytes) {
    const message = `${path} has ${size} bytes, ${known.fileName} has ${known.sizeBytes}.`;
    throw new WorkloadError("model.size", message, { file: path, expected: known.sizeBytes, got: size });
  }
  const digest = createHash("sha256");
  let doneBytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20, signal }) as AsyncIterable<Buffer>) {
    digest.update(chunk);
    doneBytes += chunk.length;
    onProgress?.({ step: "verify", doneBytes, totalBytes: known.sizeBytes });
  }
  const got = digest.digest("hex");
  if (got === known.sha256) return;
  const message = `${path} has the SHA-256 ${got}, ${known.fileName} has ${known.sha256}.`;
  throw new WorkloadError("model.hash", message, { file: path, expected: known.sha256, got });
}
