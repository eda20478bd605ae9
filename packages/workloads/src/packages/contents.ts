import { assertAccepted, decodeProgram, encodeHeader, type Program } from "@foldmark/machine";
import { listRoot, modelId, programRoot, sha256 } from "@foldmark/machine/commitments";
import { WorkloadError } from "../errors.ts";
import { openTokenizer, type Tokenizer } from "../tokenizers/tokenizer.ts";
import { assetId } from "./assetId.ts";
import type { Json } from "./canonicalJson.ts";
import { constantBytes } from "./constants.ts";
import type { Families } from "./family.ts";
import { fromHex, type Hex, toHex } from "./hex.ts";
import { decodeManifest, type FileEntry, MANIFEST_FILE, type Manifest, type PackageFile } from "./manifest.ts";
import { mustEqual } from "./mustEqual.ts";
import { checkReferences, isExplained } from "./rebuild.ts";

/** Where the files of a package come from: a folder, or what a browser keeps. */
export type PackageFiles = {
  /** How errors name the whole. */
  readonly place: string;
  /** How errors name a file. */
  pathOf(name: PackageFile | typeof MANIFEST_FILE): string;
  /** A small file whole. It may be refused for its size before it is read; its hash is checked by whoever asks. */
  read(name: PackageFile, entry: FileEntry): Promise<Uint8Array>;
};

/** All of a package but its constants. */
export type PackageContents = {
  readonly manifest: Manifest;
  readonly program: Program;
  readonly modelId: Hex;
  /** SHA-256 of the manifest. */
  readonly packageHash: Hex;
  readonly assetId: Hex;
  readonly programRoot: Hex;
  readonly weightsRoot: Hex;
  /** Whether no known family builds this program: shown as such, and not used unless somebody asks for it. */
  readonly isCustom: boolean;
  /** Bytes of all files together. */
  readonly sizeBytes: number;
  /** The chat template. Throws `package.no_chat` for a simulation. */
  readonly template: string;
  readonly report: Json;
  /** The tokenizer, opened at the first call. Throws `package.no_chat` for a simulation. */
  tokenizer(): Tokenizer;
};

/** Decodes a manifest and gives the ids that follow from it. Throws `package.manifest`, `package.asset_mismatch`. */
export function identify(bytes: Uint8Array, path: string, expectedAssetId?: Hex): Identified {
  const packageHash = toHex(sha256(bytes));
  const manifest = decodeManifest(bytes, path);
  const asset = assetId(manifest.modelId, packageHash);
  if (expectedAssetId)
    mustEqual("package.asset_mismatch", path, "its asset", { expected: expectedAssetId, got: asset });
  const files = Object.values(manifest.files).reduce((sum, file) => sum + (file?.sizeBytes ?? 0), 0);
  return { manifest, packageHash, assetId: asset, sizeBytes: files + bytes.length };
}
export type Identified = Pick<PackageContents, "manifest" | "packageHash" | "assetId" | "sizeBytes">;

/**
 * Reads all of a package but its constants and checks that it is what the manifest says: hashes of the files, roots and
 * ids, and the program, which is built again from family and configuration.
 * @throws `package.size`, `package.hash`, `package.text`, `package.root`, `package.program_mismatch`, each naming the file
 * and both values, `machine.malformed` and `machine.not_accepted`, and what the family throws for its configuration
 */
export async function readContents(
  files: PackageFiles,
  { identified, families }: { identified: Identified; families: Families },
): Promise<PackageContents> {
  const { manifest } = identified;
  const manifestPath = files.pathOf(MANIFEST_FILE);
  const program = decodeProgram(await readFile(files, "program.bin", manifest));
  checkIds(files, manifest, program);
  assertAccepted(program);
  checkReferences(manifestPath, { manifest, program });
  const isCustom = !isExplained(manifestPath, { manifest, families });
  const declared = program.constants.reduce((sum, declaration) => sum + constantBytes(declaration), 0);
  const got = manifest.files["tensors.bin"]?.sizeBytes;
  mustEqual("package.size", files.pathOf("tensors.bin"), "its size in bytes", { expected: declared, got });

  const report = await readJson(files, "report.json", manifest);
  const chat = manifest.kind === "chat" ? await readChat(files, manifest) : undefined;
  let tokenizer: Tokenizer | undefined;
  const needChat = () => {
    if (chat) return chat;
    const message = `${manifest.name} is a simulation: it has no tokenizer and no template.`;
    throw new WorkloadError("package.no_chat", message, { dir: files.place });
  };
  return {
    ...identified,
    program,
    modelId: manifest.modelId,
    programRoot: manifest.programRoot,
    weightsRoot: manifest.weightsRoot,
    isCustom,
    report,
    get template() {
      return needChat().template;
    },
    tokenizer() {
      tokenizer ??= openTokenizer(needChat().tokenizer);
      return tokenizer;
    },
  };
}

/** Everything that the manifest says about the program follows from `program.bin` and the roots of the constants. */
function checkIds(files: PackageFiles, manifest: Manifest, program: Program): void {
  const root = (what: string, expected: unknown, got: unknown) =>
    mustEqual("package.root", files.pathOf("program.bin"), what, { expected, got });
  root("its programRoot", manifest.programRoot, toHex(programRoot(program)));
  root("its header", manifest.header, toHex(encodeHeader(program)));
  root("its maxT", manifest.maxT, program.maxT);
  root("its number of constants", manifest.tensorRoots.length, program.constants.length);
  const weights = listRoot(manifest.tensorRoots.map(fromHex));
  mustEqual("package.root", files.pathOf(MANIFEST_FILE), "the root of its tensorRoots", {
    expected: manifest.weightsRoot,
    got: toHex(weights),
  });
  root("its modelId", manifest.modelId, toHex(modelId(program, weights)));
}

async function readFile(files: PackageFiles, name: PackageFile, manifest: Manifest): Promise<Uint8Array> {
  const entry = manifest.files[name];
  if (!entry) throw new Error(`a manifest that names no ${name} was accepted`);
  const bytes = await files.read(name, entry);
  mustEqual("package.hash", files.pathOf(name), "its SHA-256", { expected: entry.sha256, got: toHex(sha256(bytes)) });
  return bytes;
}

async function readText(files: PackageFiles, name: PackageFile, manifest: Manifest): Promise<string> {
  const bytes = await readFile(files, name, manifest);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw notReadable(files.pathOf(name), "is not UTF-8", cause);
  }
}

async function readJson(files: PackageFiles, name: PackageFile, manifest: Manifest): Promise<Json> {
  const text = await readText(files, name, manifest);
  try {
    return JSON.parse(text) as Json;
  } catch (cause) {
    throw notReadable(files.pathOf(name), "is no JSON", cause);
  }
}

const notReadable = (file: string, what: string, cause: unknown): WorkloadError =>
  new WorkloadError("package.text", `${file} ${what}.`, { file }, { cause });

async function readChat(files: PackageFiles, manifest: Manifest): Promise<{ tokenizer: Json; template: string }> {
  return {
    tokenizer: await readJson(files, "tokenizer.json", manifest),
    template: await readText(files, "template.jinja", manifest),
  };
}
