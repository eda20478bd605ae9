import { join } from "node:path";
import type { ConstantSource, Program } from "@foldmark/machine";
import { constantsOf } from "./constantFile.ts";
import { identify, type PackageContents, readContents } from "./contents.ts";
import type { Families } from "./family.ts";
import { checkSize, folderFiles, readManifest } from "./folder.ts";
import type { Hex } from "./hex.ts";
import { MANIFEST_FILE, type Manifest } from "./manifest.ts";
import { hasStamp, tensorsIdentity, writeStamp } from "./stamp.ts";
import { verifyTensors } from "./verify.ts";

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
export type ModelPackage = PackageContents & {
  readonly dir: string;
  /** Reads constants from disk when they are asked for. */
  readonly constants: ConstantSource;
};

/**
 * Opens a package and checks that it is what its manifest says: hashes and roots of all files, ids, and the program,
 * which is built again from family and configuration.
 * @throws `package.missing`, `package.manifest`, `package.asset_mismatch`, and what `readContents` throws
 */
export async function openPackage(dir: string, options: OpenPackageOptions): Promise<ModelPackage> {
  const { families, verify = "once", expectedAssetId } = options;
  const identified = identify(await readManifest(dir), join(dir, MANIFEST_FILE), expectedAssetId);
  const contents = await readContents(folderFiles(dir), { identified, families });
  const { program, manifest, packageHash } = contents;
  await checkTensors(dir, { manifest, program, packageHash, verify });
  return Object.assign(contents, { dir, constants: constantsOf(join(dir, "tensors.bin"), program) });
}

type TensorsToCheck = { manifest: Manifest; program: Program; packageHash: Hex; verify: "roots" | "once" | "sizes" };

async function checkTensors(dir: string, { manifest, program, packageHash, verify }: TensorsToCheck): Promise<void> {
  await checkSize(dir, "tensors.bin", manifest.files["tensors.bin"]);
  if (verify === "sizes" || (verify === "once" && (await hasStamp(dir, packageHash)))) return;
  const tensors = await tensorsIdentity(dir);
  await verifyTensors(dir, { manifest, program });
  await writeStamp(dir, { packageHash, tensors });
}
