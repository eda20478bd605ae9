import { LaneTensorHasher } from "@foldmark/machine";
import type { Extent } from "../packages/constants.ts";
import { type Hex, toHex } from "../packages/hex.ts";
import { mustEqual } from "../packages/mustEqual.ts";
import type { Part, RemoteFile } from "./remoteFile.ts";
import { readStored, type StoredFile, writeStored } from "./storage.ts";

export type CompleteOptions = {
  extents: readonly Extent[];
  /** Roots of the constants, in order. */
  roots: readonly Hex[];
  remote: RemoteFile;
  /** Names the file in errors. */
  path: string;
  onVerified(bytes: number): void;
};

/**
 * Makes `tensors.bin` whole. Every constant is hashed, leaf by leaf, from what is stored and what comes; nothing else says
 * what is there, so a break leaves no state to believe. One whose root differs is fetched again from its first byte.
 * @throws `package.hash` naming the constant where the server's bytes are not those of the root, `download.failed`,
 * `browser.storage_full`
 */
export async function completeTensors(file: StoredFile, options: CompleteOptions): Promise<void> {
  const { extents, roots, remote, path, onVerified } = options;
  const hasher = new LaneTensorHasher();
  const size = extents.reduce((sum, { bytes }) => sum + bytes, 0);
  if (file.getSize() > size) file.truncate(size);
  for (const [index, extent] of extents.entries()) {
    const expected = roots[index];
    const has = Math.min(Math.max(file.getSize() - extent.offset, 0), extent.bytes);
    for (const piece of storedPieces(file, { offset: extent.offset, bytes: has })) hasher.update(piece);
    await fetchPart({ offset: extent.offset + has, bytes: extent.bytes - has, goesOn: true });
    let root = toHex(hasher.root());
    if (root !== expected && has > 0) {
      await fetchPart(extent);
      root = toHex(hasher.root());
    }
    mustEqual("package.hash", path, `the root of constant ${index}`, { expected, got: root });
    onVerified(extent.bytes);
  }
  file.flush();

  async function fetchPart(part: Part): Promise<void> {
    let at = part.offset;
    for await (const piece of remote.read(part)) {
      writeStored(file, piece, at);
      hasher.update(piece);
      at += piece.length;
    }
  }
}

const PIECE_BYTES = 1 << 20;

function* storedPieces(file: StoredFile, { offset, bytes }: Extent): Generator<Uint8Array> {
  const buffer = new Uint8Array(Math.min(PIECE_BYTES, bytes));
  for (let at = 0; at < bytes; at += buffer.length) {
    yield readStored(file, buffer.subarray(0, Math.min(buffer.length, bytes - at)), offset + at);
  }
}
