import { createHash, randomBytes } from "node:crypto";
import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { encodeHeader, encodeProgram, type Program } from "@foldmark/machine";
import { listRoot, modelId, programRoot, sha256, TensorHasher } from "@foldmark/machine/commitments";
import { WorkloadError } from "../errors.ts";
import { parseTokenizerSpec, type TokenizerSpec } from "../tokenizers/spec.ts";
import { canonicalJson, type Json } from "./canonicalJson.ts";
import { constantBytes } from "./constants.ts";
import type { BuiltModel } from "./family.ts";
import { type Hex, toHex } from "./hex.ts";
import { decodeManifest, encodeManifest, MANIFEST_FILE, type Manifest, type PackageFile } from "./manifest.ts";

export type PackageParts = {
  name: string;
  /** An SPDX expression. */
  licence: string;
  /** Null for a program that no family builds. */
  family: { name: string; configuration: Json } | null;
  built: BuiltModel;
  /** Gives the bytes of constant `index`; asked once for each, in order, so that one at a time is in memory. */
  constants: (index: number) => Uint8Array | Promise<Uint8Array>;
  /** What a chat model needs besides; absent for a simulation. */
  chat?: { tokenizer: TokenizerSpec; template: string };
  report: Json;
  onProgress?: (bytesWritten: number, bytesInAll: number) => void;
};

type FileEntry = { sizeBytes: number; sha256: Hex };

/**
 * Writes a package as folder `dir`: all of it or nothing. It is made beside `dir`, brought to disk and then renamed; a
 * package that was there before is replaced. Throws `package.occupied` for a folder of other things, `package.constant` where a constant has other bytes than the program
 * declares, `package.manifest` and `tokenizer.invalid` for parts that no loader would take.
 */
export async function writePackage(
  dir: string,
  parts: PackageParts,
): Promise<{ manifest: Manifest; packageHash: Hex }> {
  await refuseOtherFolder(dir);
  const temporary = `${dir}.${randomBytes(6).toString("hex")}.part`;
  await mkdir(temporary, { recursive: true });
  try {
    const manifest = await writeFiles(temporary, parts);
    const bytes = encodeManifest(manifest);
    decodeManifest(bytes, join(dir, MANIFEST_FILE)); // what a loader would refuse is not written
    await writeDurably(join(temporary, MANIFEST_FILE), bytes);
    await syncFolder(temporary);
    await moveIntoPlace(temporary, dir);
    return { manifest, packageHash: toHex(sha256(bytes)) };
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

/** A folder with other things in it is somebody's, and is not replaced. Throws `package.occupied`. */
async function refuseOtherFolder(dir: string): Promise<void> {
  const entries = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [] as string[];
    throw error;
  });
  if (entries.length === 0 || entries.includes(MANIFEST_FILE)) return;
  throw new WorkloadError("package.occupied", `${dir} is no model package, and it is not empty.`, {
    dir,
    entries: entries.length,
  });
}

async function writeFiles(folder: string, parts: PackageParts): Promise<Manifest> {
  const { built, chat } = parts;
  const { program } = built;
  const files: Partial<Record<PackageFile, FileEntry>> = {};
  const write = async (name: PackageFile, content: Uint8Array | string) => {
    files[name] = await writeDurably(join(folder, name), content);
  };
  await write("program.bin", encodeProgram(program));
  await write("report.json", canonicalJson(parts.report));
  if (chat) {
    await write("tokenizer.json", canonicalJson(parseTokenizerSpec(chat.tokenizer)));
    await write("template.jinja", chat.template);
  }
  const { entry, roots } = await writeTensors(join(folder, "tensors.bin"), program, parts);
  files["tensors.bin"] = entry;

  const weightsRoot = listRoot(roots);
  return {
    version: 1,
    name: parts.name,
    kind: built.kind,
    licence: parts.licence,
    family: parts.family,
    modelId: toHex(modelId(program, weightsRoot)),
    header: toHex(encodeHeader(program)),
    programRoot: toHex(programRoot(program)),
    weightsRoot: toHex(weightsRoot),
    tensorRoots: roots.map(toHex),
    maxT: program.maxT,
    answers: built.answers,
    length: built.length,
    stopIds: built.stopIds,
    files,
  };
}

async function writeTensors(
  path: string,
  program: Program,
  { constants, onProgress }: PackageParts,
): Promise<{ entry: FileEntry; roots: Uint8Array[] }> {
  const inAll = program.constants.reduce((sum, declaration) => sum + constantBytes(declaration), 0);
  const digest = createHash("sha256");
  const roots: Uint8Array[] = [];
  let sizeBytes = 0;
  const handle = await open(path, "wx");
  try {
    for (const [index, declaration] of program.constants.entries()) {
      const bytes = await constants(index);
      const declared = constantBytes(declaration);
      if (bytes.length !== declared) {
        const message = `Constant ${index} has ${bytes.length} bytes, the program declares ${declared}.`;
        throw new WorkloadError("package.constant", message, { index, bytes: bytes.length, declared });
      }
      await handle.writeFile(bytes);
      digest.update(bytes);
      roots.push(new TensorHasher().update(bytes).root());
      sizeBytes += bytes.length;
      onProgress?.(sizeBytes, inAll);
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
  return { entry: { sizeBytes, sha256: `0x${digest.digest("hex")}` }, roots };
}

async function writeDurably(path: string, content: Uint8Array | string): Promise<FileEntry> {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  const handle = await open(path, "wx");
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
  return { sizeBytes: bytes.length, sha256: toHex(sha256(bytes)) };
}

/** Brings the entries of a folder to disk. */
async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A folder that is there is set aside first, since a rename replaces empty folders only, and put back if that fails. */
async function moveIntoPlace(temporary: string, dir: string): Promise<void> {
  const aside = `${temporary}.old`;
  const hasOld = await renameIfThere(dir, aside);
  try {
    await rename(temporary, dir);
  } catch (error) {
    if (hasOld) await rename(aside, dir);
    throw error;
  }
  await rm(aside, { recursive: true, force: true });
  await syncFolder(dirname(dir));
}

async function renameIfThere(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}
