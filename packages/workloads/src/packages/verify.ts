import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Program } from "@foldmark/machine";
import { sha256, TensorHasher } from "@foldmark/machine/commitments";
import { WorkloadError } from "../errors.ts";
import type { Json } from "./canonicalJson.ts";
import { constantBytes } from "./constants.ts";
import { toHex } from "./hex.ts";
import type { Manifest, PackageFile } from "./manifest.ts";

/** What a loader has to compare, in one place: the refusal names the file and both values. */
export function mustEqual(code: string, file: string, what: string, values: { expected: unknown; got: unknown }): void {
  if (values.expected === values.got) return;
  const message = `${file}: ${what} is ${String(values.got)}, expected ${String(values.expected)}.`;
  throw new WorkloadError(code, message, { file, what, ...values });
}

/** Reads a small file of a package whole. Throws `package.missing`, `package.size` and `package.hash`. */
export async function readFile(dir: string, name: PackageFile, manifest: Manifest): Promise<Uint8Array> {
  const path = join(dir, name);
  await checkSize(dir, name, manifest);
  const handle = await open(path, "r");
  try {
    const bytes = new Uint8Array(await handle.readFile()); // plain bytes: a Buffer's slices share memory and its name
    mustEqual("package.hash", path, "its SHA-256", {
      expected: manifest.files[name]?.sha256,
      got: toHex(sha256(bytes)),
    });
    return bytes;
  } finally {
    await handle.close();
  }
}

/** The same as text. Throws `package.text` where it is not UTF-8. */
export async function readText(dir: string, name: PackageFile, manifest: Manifest): Promise<string> {
  const bytes = await readFile(dir, name, manifest);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw notReadable(join(dir, name), "is not UTF-8", cause);
  }
}

/** The same as JSON. Throws `package.text` where it is none. */
export async function readJson(dir: string, name: PackageFile, manifest: Manifest): Promise<Json> {
  const text = await readText(dir, name, manifest);
  try {
    return JSON.parse(text) as Json;
  } catch (cause) {
    throw notReadable(join(dir, name), "is no JSON", cause);
  }
}

const notReadable = (file: string, what: string, cause: unknown): WorkloadError =>
  new WorkloadError("package.text", `${file} ${what}.`, { file }, { cause });

/** Throws `package.missing` and `package.size`. */
export async function checkSize(dir: string, name: PackageFile, manifest: Manifest): Promise<void> {
  const path = join(dir, name);
  const status = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "ENOENT") throw cause;
    throw new WorkloadError("package.missing", `${path} is missing.`, { file: path }, { cause });
  });
  mustEqual("package.size", path, "its size in bytes", { expected: manifest.files[name]?.sizeBytes, got: status.size });
}

/**
 * Hashes `tensors.bin` once, as a file and as the constants of the program. Throws `package.hash` naming the first
 * constant whose root differs.
 */
export async function verifyTensors(
  dir: string,
  { manifest, program }: { manifest: Manifest; program: Program },
): Promise<void> {
  const path = join(dir, "tensors.bin");
  const digest = createHash("sha256");
  let constant = 0;
  let left = 0;
  let hasher = new TensorHasher();
  const next = () => {
    const declaration = program.constants[constant];
    left = declaration ? constantBytes(declaration) : 0;
    hasher = new TensorHasher();
  };
  next();
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
    digest.update(chunk);
    for (let at = 0; at < chunk.length && constant < program.constants.length; ) {
      const taken = Math.min(left, chunk.length - at);
      hasher.update(chunk.subarray(at, at + taken));
      at += taken;
      left -= taken;
      if (left > 0) continue;
      const expected = manifest.tensorRoots[constant];
      mustEqual("package.hash", path, `the root of constant ${constant}`, { expected, got: toHex(hasher.root()) });
      constant++;
      next();
    }
  }
  const expected = manifest.files["tensors.bin"]?.sha256;
  mustEqual("package.hash", path, "its SHA-256", { expected, got: `0x${digest.digest("hex")}` });
}
