import { createHash, randomBytes } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { type ConstantSource, encodeHeader, encodeProgram, type Program } from "@foldmark/machine";
import { listRoot, modelId, programRoot, sha256, tensorRoot } from "@foldmark/machine/commitments";
import { WorkloadError } from "../errors.ts";
import { parseTokenizerSpec, type TokenizerSpec } from "../tokenizers/spec.ts";
import { canonicalJson, type Json } from "./canonicalJson.ts";
import { constantsOf } from "./constantFile.ts";
import { constantBytes } from "./constants.ts";
import type { BuiltModel } from "./family.ts";
import { type Hex, toHex } from "./hex.ts";
import {
  decodeManifest,
  encodeManifest,
  type FileEntry,
  MANIFEST_FILE,
  type Manifest,
  type PackageFile,
} from "./manifest.ts";

/** A package but for its constants. */
export type PackageParts = {
  name: string;
  /** An SPDX expression. */
  licence: string;
  /** Null for a program that no family builds. */
  family: { name: string; configuration: Json } | null;
  built: BuiltModel;
  /** What a chat model needs besides; absent for a simulation. */
  chat?: { tokenizer: TokenizerSpec; template: string };
  report: Json;
};

export type WrittenPackage = { manifest: Manifest; packageHash: Hex };

/**
 * Writes a package as one folder: all of it or nothing. It is made beside that folder, brought to disk and then renamed;
 * a package that was there before is replaced. Constants come first, one at a time, because a converter knows the program
 * only when it is through with the weights. `await using` removes what was not finished.
 */
export class PackageWriter {
  readonly #dir: string;
  readonly #temporary: string;
  readonly #tensors: FileHandle;
  readonly #digest = createHash("sha256");
  readonly #roots: Uint8Array[] = [];
  readonly #sizes: number[] = [];

  private constructor(dir: string, temporary: string, tensors: FileHandle) {
    this.#dir = dir;
    this.#temporary = temporary;
    this.#tensors = tensors;
  }

  /** Throws `package.occupied` for a folder that holds other things than a package. */
  static async open(dir: string): Promise<PackageWriter> {
    await refuseOtherFolder(dir);
    const temporary = `${dir}.${randomBytes(6).toString("hex")}.part`;
    await mkdir(temporary, { recursive: true });
    return new PackageWriter(dir, temporary, await open(join(temporary, "tensors.bin"), "wx"));
  }

  /** Adds the next constant of the program. */
  async constant(bytes: Uint8Array): Promise<void> {
    await this.#tensors.writeFile(bytes);
    this.#digest.update(bytes);
    this.#roots.push(tensorRoot(bytes));
    this.#sizes.push(bytes.length);
  }

  /** The constants that were written so far, for an engine that evaluates the model before its report is written. */
  constants(program: Program): ConstantSource {
    return constantsOf(join(this.#temporary, "tensors.bin"), program);
  }

  /**
   * Adds the rest and gives the folder its name. Throws `package.constant` where number or bytes of the constants are not
   * what the program declares, `package.manifest` and `tokenizer.invalid` for parts that no loader would take.
   */
  async finish(parts: PackageParts): Promise<WrittenPackage> {
    checkConstants(parts.built.program, this.#sizes);
    await this.#tensors.sync();
    const tensors: FileEntry = {
      sizeBytes: this.#sizes.reduce((sum, size) => sum + size, 0),
      sha256: `0x${this.#digest.digest("hex")}`,
    };
    const files = { ...(await writeFiles(this.#temporary, parts)), "tensors.bin": tensors };
    const manifest = manifestOf(parts, { files, roots: this.#roots });
    const bytes = encodeManifest(manifest);
    decodeManifest(bytes, join(this.#dir, MANIFEST_FILE)); // what a loader would refuse is not written
    await writeDurably(join(this.#temporary, MANIFEST_FILE), bytes);
    await syncFolder(this.#temporary);
    await moveIntoPlace(this.#temporary, this.#dir);
    return { manifest, packageHash: toHex(sha256(bytes)) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#tensors.close();
    await rm(this.#temporary, { recursive: true, force: true });
  }
}

/** Writes a package whose program is known beforehand; `constants` is asked for one after the other. */
export async function writePackage(
  dir: string,
  { constants, ...parts }: PackageParts & { constants: (index: number) => Uint8Array | Promise<Uint8Array> },
): Promise<WrittenPackage> {
  await using writer = await PackageWriter.open(dir);
  for (const index of parts.built.program.constants.keys()) await writer.constant(await constants(index));
  return await writer.finish(parts);
}

/** A folder with other things in it is somebody's, and is not replaced. @throws `package.occupied` */
export async function refuseOtherFolder(dir: string): Promise<void> {
  const entries = await readdir(dir).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return [] as string[];
    throw error;
  });
  if (entries.length === 0 || entries.includes(MANIFEST_FILE)) return;
  const message = `${dir} is no model package, and it is not empty.`;
  throw new WorkloadError("package.occupied", message, { dir, entries: entries.length });
}

function checkConstants({ constants }: Program, sizes: readonly number[]): void {
  if (sizes.length !== constants.length) {
    const message = `${sizes.length} constants were written, the program declares ${constants.length}.`;
    throw new WorkloadError("package.constant", message, { written: sizes.length, declared: constants.length });
  }
  for (const [index, declaration] of constants.entries()) {
    const declared = constantBytes(declaration);
    if (sizes[index] === declared) continue;
    const message = `Constant ${index} has ${sizes[index]} bytes, the program declares ${declared}.`;
    throw new WorkloadError("package.constant", message, { index, bytes: sizes[index], declared });
  }
}

async function writeFiles(folder: string, { built, chat, report }: PackageParts): Promise<Manifest["files"]> {
  const files: Partial<Record<PackageFile, FileEntry>> = {};
  const write = async (name: PackageFile, content: Uint8Array | string) => {
    files[name] = await writeDurably(join(folder, name), content);
  };
  await write("program.bin", encodeProgram(built.program));
  await write("report.json", canonicalJson(report));
  if (chat) {
    await write("tokenizer.json", canonicalJson(parseTokenizerSpec(chat.tokenizer)));
    await write("template.jinja", chat.template);
  }
  return files;
}

function manifestOf(
  { name, licence, family, built }: PackageParts,
  { files, roots }: { files: Manifest["files"]; roots: Uint8Array[] },
): Manifest {
  const { program, kind, answers, length, stopIds } = built;
  const weightsRoot = listRoot(roots);
  return {
    version: 1,
    name,
    kind,
    licence,
    family,
    modelId: toHex(modelId(program, weightsRoot)),
    header: toHex(encodeHeader(program)),
    programRoot: toHex(programRoot(program)),
    weightsRoot: toHex(weightsRoot),
    tensorRoots: roots.map(toHex),
    maxT: program.maxT,
    answers,
    length,
    stopIds,
    files,
  };
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
export async function moveIntoPlace(temporary: string, dir: string): Promise<void> {
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
