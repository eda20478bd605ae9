import { sha256 } from "@foldmark/machine/commitments";
import { WorkloadError } from "../errors.ts";
import { type Identified, identify, type PackageFiles } from "../packages/contents.ts";
import { type Hex, toHex } from "../packages/hex.ts";
import { MANIFEST_FILE, MAX_MANIFEST_BYTES } from "../packages/manifest.ts";
import type { RemoteFile } from "./remoteFile.ts";
import { type Folder, openStored, readStored, writeStored } from "./storage.ts";

export type StoredPackage = {
  folder: Folder;
  /** A file where it is fetched from. */
  remote(name: string): RemoteFile;
  /** How errors name a file. */
  pathOf(name: string): string;
};

/** The small files of a package as they are stored; one that is missing or damaged is fetched, and stored if it is right. */
export const storedFiles = ({ folder, remote, pathOf }: StoredPackage): PackageFiles => ({
  place: pathOf(""),
  pathOf,
  async read(name, { sizeBytes, sha256: expected }) {
    const isRight = (bytes: Uint8Array) => bytes.length === sizeBytes && toHex(sha256(bytes)) === expected;
    const stored = await load(folder, name, sizeBytes);
    if (isRight(stored)) return stored;
    const fetched = new Uint8Array(sizeBytes);
    let at = 0;
    for await (const piece of remote(name).read({ offset: 0, bytes: sizeBytes })) {
      fetched.set(piece, at);
      at += piece.length;
    }
    if (isRight(fetched)) await save(folder, name, fetched);
    return fetched;
  },
});

/**
 * The stored manifest if it is this asset's, else the server's.
 * @throws `package.manifest` and `package.asset_mismatch` where the server's is another
 */
export async function identifyStored({ folder, remote, pathOf }: StoredPackage, assetId: Hex): Promise<Identified> {
  const path = pathOf(MANIFEST_FILE);
  const stored = await load(folder, MANIFEST_FILE, MAX_MANIFEST_BYTES);
  try {
    return identify(stored, path, assetId);
  } catch (error) {
    if (!(error instanceof WorkloadError)) throw error; // not there or damaged: it comes again
  }
  const fetched = await remote(MANIFEST_FILE).whole(MAX_MANIFEST_BYTES);
  const identified = identify(fetched, path, assetId);
  await save(folder, MANIFEST_FILE, fetched);
  return identified;
}

/** At most so many bytes of a file. */
async function load(folder: Folder, name: string, most: number): Promise<Uint8Array> {
  const file = await openStored(folder, name);
  try {
    return readStored(file, new Uint8Array(Math.min(file.getSize(), most)), 0);
  } finally {
    file.close();
  }
}

async function save(folder: Folder, name: string, bytes: Uint8Array): Promise<void> {
  const file = await openStored(folder, name);
  try {
    file.truncate(0);
    writeStored(file, bytes, 0);
    file.flush();
  } finally {
    file.close();
  }
}
