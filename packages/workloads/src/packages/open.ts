import { open } from "node:fs/promises";
import { join } from "node:path";
import { assertAccepted, type ConstantSource, decodeProgram, encodeHeader, type Program } from "@foldmark/machine";
import { listRoot, modelId, programRoot, sha256 } from "@foldmark/machine/commitments";
import { WorkloadError } from "../errors.ts";
import { openTokenizer, type Tokenizer } from "../tokenizers/tokenizer.ts";
import { assetId } from "./assetId.ts";
import type { Json } from "./canonicalJson.ts";
import { constantBytes, constantsOf } from "./constants.ts";
import type { Families } from "./family.ts";
import { fromHex, type Hex, toHex } from "./hex.ts";
import { decodeManifest, MANIFEST_FILE, MAX_MANIFEST_BYTES, type Manifest } from "./manifest.ts";
import { checkReferences, isExplained } from "./rebuild.ts";
import { hasStamp, tensorsIdentity, writeStamp } from "./stamp.ts";
import { checkSize, mustEqual, readFile, readJson, readText, verifyTensors } from "./verify.ts";

export type OpenPackageOptions = {
  families: Families;
  /**
   * How `tensors.bin` is checked. `roots`: hashed now. `once`: hashed unless it was before and has not changed since.
   * `sizes`: by its size, for a second thread that opens what the first has checked. Everything else is always checked.
   */
  verify?: "roots" | "once" | "sizes";
  /** Refuses a package that is not this asset. */
  expectedAssetId?: Hex;
};

/** A model package that was checked. Nothing is held open. */
export type ModelPackage = {
  readonly dir: string;
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
  /** Reads constants from disk when they are asked for. */
  readonly constants: ConstantSource;
  /** The chat template. Throws `package.no_chat` for a simulation. */
  readonly template: string;
  readonly report: Json;
  /** The tokenizer, opened at the first call. Throws `package.no_chat` for a simulation. */
  tokenizer(): Tokenizer;
};

/**
 * Opens a package and checks that it is what its manifest says: hashes and roots of all files, ids, and the program,
 * which is built again from family and configuration. Throws `package.missing`, `package.manifest`, `package.size`,
 * `package.hash`, `package.text`, `package.root`, `package.program_mismatch`, `package.asset_mismatch`, each naming the file and both
 * values, `machine.malformed` and `machine.not_accepted` with stage, fold
 * and rule for a program that no loader takes, and what the family throws for its configuration.
 */
export async function openPackage(dir: string, options: OpenPackageOptions): Promise<ModelPackage> {
  const { families, verify = "once", expectedAssetId } = options;
  const manifestPath = join(dir, MANIFEST_FILE);
  const manifestBytes = await readManifest(manifestPath);
  const packageHash = toHex(sha256(manifestBytes));
  const manifest = decodeManifest(manifestBytes, manifestPath);
  const asset = assetId(manifest.modelId, packageHash);
  if (expectedAssetId) mustEqual("package.asset_mismatch", dir, "its asset", { expected: expectedAssetId, got: asset });

  const programPath = join(dir, "program.bin");
  const program = decodeProgram(await readFile(dir, "program.bin", manifest));
  checkIds(manifestPath, programPath, manifest, program);
  assertAccepted(program);
  checkReferences(manifestPath, { manifest, program });
  const isCustom = !isExplained(manifestPath, { manifest, families });

  await checkTensors(dir, { manifest, program, packageHash, verify });
  const report = await readJson(dir, "report.json", manifest);
  const chat = manifest.kind === "chat" ? await readChat(dir, manifest) : undefined;
  let tokenizer: Tokenizer | undefined;
  const needChat = () => {
    if (chat) return chat;
    throw new WorkloadError(
      "package.no_chat",
      `${manifest.name} is a simulation: it has no tokenizer and no template.`,
      { dir },
    );
  };

  return {
    dir,
    manifest,
    program,
    modelId: manifest.modelId,
    packageHash,
    assetId: asset,
    programRoot: manifest.programRoot,
    weightsRoot: manifest.weightsRoot,
    isCustom,
    sizeBytes: Object.values(manifest.files).reduce((sum, file) => sum + (file?.sizeBytes ?? 0), manifestBytes.length),
    constants: constantsOf(join(dir, "tensors.bin"), program),
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

async function readManifest(path: string): Promise<Uint8Array> {
  const handle = await open(path, "r").catch((cause: NodeJS.ErrnoException) => {
    throw new WorkloadError(
      "package.missing",
      `${path} cannot be opened: ${cause.message}.`,
      { file: path },
      { cause },
    );
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

/** Everything that the manifest says about the program follows from `program.bin` and the roots of the constants. */
function checkIds(manifestPath: string, programPath: string, manifest: Manifest, program: Program): void {
  const root = (what: string, expected: unknown, got: unknown) =>
    mustEqual("package.root", programPath, what, { expected, got });
  root("its programRoot", manifest.programRoot, toHex(programRoot(program)));
  root("its header", manifest.header, toHex(encodeHeader(program)));
  root("its maxT", manifest.maxT, program.maxT);
  root("its number of constants", manifest.tensorRoots.length, program.constants.length);
  const weights = listRoot(manifest.tensorRoots.map(fromHex));
  mustEqual("package.root", manifestPath, "the root of its tensorRoots", {
    expected: manifest.weightsRoot,
    got: toHex(weights),
  });
  root("its modelId", manifest.modelId, toHex(modelId(program, weights)));
}

type TensorsToCheck = { manifest: Manifest; program: Program; packageHash: Hex; verify: "roots" | "once" | "sizes" };

async function checkTensors(dir: string, { manifest, program, packageHash, verify }: TensorsToCheck): Promise<void> {
  await checkSize(dir, "tensors.bin", manifest);
  const declared = program.constants.reduce((sum, declaration) => sum + constantBytes(declaration), 0);
  const got = manifest.files["tensors.bin"]?.sizeBytes;
  mustEqual("package.size", join(dir, "tensors.bin"), "its size in bytes", { expected: declared, got });
  if (verify === "sizes" || (verify === "once" && (await hasStamp(dir, packageHash)))) return;
  const tensors = await tensorsIdentity(dir);
  await verifyTensors(dir, { manifest, program });
  await writeStamp(dir, { packageHash, tensors });
}

async function readChat(dir: string, manifest: Manifest): Promise<{ tokenizer: Json; template: string }> {
  return {
    tokenizer: await readJson(dir, "tokenizer.json", manifest),
    template: await readText(dir, "template.jinja", manifest),
  };
}
