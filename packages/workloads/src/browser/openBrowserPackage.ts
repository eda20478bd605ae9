import type { ConstantSource } from "@foldmark/machine";
import { families } from "../families/index.ts";
import { constantExtents, type Extent, extentOf } from "../packages/constants.ts";
import { type PackageContents, readContents } from "../packages/contents.ts";
import type { Hex } from "../packages/hex.ts";
import { RemoteFile } from "./remoteFile.ts";
import { requireBrowser } from "./requirements.ts";
import { openStored, packageFolder, readStored, removePackages, requireSpace, type StoredFile } from "./storage.ts";
import { identifyStored, type StoredPackage, storedFiles } from "./storedFiles.ts";
import { completeTensors } from "./tensors.ts";

export type BrowserPackageOptions = {
  /** Folder that serves the files, such as a node's `/v1/packages/{packageHash}`. It cannot give anything but the asset. */
  url: string;
  assetId: Hex;
  /** Called as constants are found right, stored or fetched. */
  onProgress?(verifiedBytes: number, totalBytes: number): void;
  /** Ends a download; what came of it is not fetched again. */
  signal?: AbortSignal;
};

/** A package that this browser keeps. It is locked against other tabs until it is closed. */
export type BrowserPackage = PackageContents & {
  /** Reads constants from storage when they are asked for. */
  readonly constants: ConstantSource;
  /** What had to be fetched: nothing where all was stored. */
  readonly fetchedBytes: number;
  close(): void;
};

/**
 * Opens a package in a browser's worker, from its private file system; what is missing or damaged there is fetched. Every
 * byte is checked against the asset at every visit: manifest and small files by their hashes, constants by their leaves.
 * @throws `browser.no_simd`, `browser.no_storage`, `browser.in_use`, `browser.storage_full`, `download.failed`,
 * `package.asset_mismatch`, `package.hash`, and what `openPackage` throws for a package that is wrong in itself
 * @example
 * const model = await openBrowserPackage({ url: `/v1/packages/${packageHash}`, assetId });
 * const engine = await openWasm(model.program, model.constants);
 */
export async function openBrowserPackage(options: BrowserPackageOptions): Promise<BrowserPackage> {
  const { assetId, signal, onProgress } = options;
  const storage = requireBrowser();
  const folder = await packageFolder(storage, assetId);
  const tensors = await openStored(folder, TENSORS); // first: it is the lock of the whole
  const remotes: RemoteFile[] = [];
  const stored: StoredPackage = {
    folder,
    pathOf: (name) => `${options.url.replace(/\/+$/, "")}/${name}`,
    remote(name) {
      const remote = new RemoteFile(stored.pathOf(name), { signal });
      remotes.push(remote);
      return remote;
    },
  };
  try {
    const identified = await identifyStored(stored, assetId);
    const contents = await readContents(storedFiles(stored), { identified, families });
    const { sizeBytes, manifest, program } = contents;
    const extents = constantExtents(program);
    const tensorBytes = extents.reduce((sum, { bytes }) => sum + bytes, 0);
    await requireSpace(storage, tensorBytes - tensors.getSize());
    let verified = sizeBytes - tensorBytes;
    onProgress?.(verified, sizeBytes);
    await completeTensors(tensors, {
      ...{ extents, roots: manifest.tensorRoots, remote: stored.remote(TENSORS), path: stored.pathOf(TENSORS) },
      onVerified(bytes) {
        verified += bytes;
        onProgress?.(verified, sizeBytes);
      },
    });
    return Object.assign(contents, {
      constants: constantsOf(tensors, extents),
      fetchedBytes: remotes.reduce((sum, { fetchedBytes }) => sum + fetchedBytes, 0),
      close: () => tensors.close(),
    });
  } catch (error) {
    tensors.close();
    throw error;
  } finally {
    for (const remote of remotes) remote.close();
  }
}

const TENSORS = "tensors.bin";

const constantsOf =
  (file: StoredFile, extents: readonly Extent[]): ConstantSource =>
  (index, into) => {
    const { offset, bytes } = extentOf(extents, index);
    return readStored(file, into?.length === bytes ? into : new Uint8Array(bytes), offset);
  };

/** Removes every package that this origin keeps. @throws `browser.no_storage`, `browser.in_use` */
export const removeBrowserPackages = (): Promise<void> => removePackages(requireBrowser());
