import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { WorkloadError } from "../errors.ts";
import type { PackageFiles } from "./contents.ts";
import { type FileEntry, MANIFEST_FILE, MAX_MANIFEST_BYTES, type PackageFile } from "./manifest.ts";
import { mustEqual } from "./mustEqual.ts";

/** The files of a package in a folder. */
export const folderFiles = (dir: string): PackageFiles => ({
  place: dir,
  pathOf: (name) => join(dir, name),
  async read(name, entry) {
    await checkSize(dir, name, entry);
    const handle = await open(join(dir, name), "r");
    try {
      return new Uint8Array(await handle.readFile()); // plain bytes: a Buffer's slices share memory and its name
    } finally {
      await handle.close();
    }
  },
});

/** Throws `package.missing` and `package.size`. */
export async function checkSize(dir: string, name: PackageFile, entry: FileEntry | undefined): Promise<void> {
  const path = join(dir, name);
  const status = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "ENOENT") throw cause;
    throw new WorkloadError("package.missing", `${path} is missing.`, { file: path }, { cause });
  });
  mustEqual("package.size", path, "its size in bytes", { expected: entry?.sizeBytes, got: status.size });
}

/** The bytes of a manifest. Throws `package.missing`, and `package.manifest` for one that is too long to be read. */
export async function readManifest(dir: string): Promise<Uint8Array> {
  const path = join(dir, MANIFEST_FILE);
  const handle = await open(path, "r").catch((cause: NodeJS.ErrnoException) => {
    const message = `${path} cannot be opened: ${cause.message}.`;
    throw new WorkloadError("package.missing", message, { file: path }, { cause });
  });
  try {
    const { size } = await handle.stat();
    if (size > MAX_MANIFEST_BYTES) {
      const message = `${path}: it has ${size} bytes, at most ${MAX_MANIFEST_BYTES} are read.`;
      throw new WorkloadError("package.manifest", message, { file: path, sizeBytes: size });
    }
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}
