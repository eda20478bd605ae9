import { type FileHandle, open } from "node:fs/promises";
import { WorkloadError } from "../../errors.ts";
import { GgufCursor, readExactly } from "./cursor.ts";
import { type GgufHeader, type GgufTensor, readHeader } from "./header.ts";
import type { GgufMetadata } from "./metadata.ts";

/** An open GGUF file. Its header is in memory, its tensors are read when they are asked for. */
export class GgufFile {
  readonly #handle: FileHandle;
  readonly #header: GgufHeader;
  readonly sizeBytes: number;

  constructor(handle: FileHandle, header: GgufHeader, sizeBytes: number) {
    this.#handle = handle;
    this.#header = header;
    this.sizeBytes = sizeBytes;
  }

  get path(): string {
    return this.#header.path;
  }
  get version(): 2 | 3 {
    return this.#header.version;
  }
  get metadata(): GgufMetadata {
    return this.#header.metadata;
  }
  get tensors(): ReadonlyMap<string, GgufTensor> {
    return this.#header.tensors;
  }

  /** The description of a tensor. Throws `gguf.tensor_missing`. */
  tensor(name: string): GgufTensor {
    const tensor = this.tensors.get(name);
    if (tensor) return tensor;
    throw new WorkloadError("gguf.tensor_missing", `${this.path}: the tensor ${name} is missing.`, {
      file: this.path,
      name,
    });
  }

  /** All bytes of a tensor, as they are in the file. */
  async read(name: string): Promise<Uint8Array> {
    const { offset, bytes } = this.tensor(name);
    return this.#bytes({ field: `tensor ${name}`, offset, length: bytes });
  }

  /** The bytes of `count` rows from row `from` on; a row is the last dimension. Throws `gguf.rows`. */
  async rows(name: string, from: number, count: number): Promise<Uint8Array> {
    const { offset, bytes, shape } = this.tensor(name);
    const rows = shape.slice(0, -1).reduce((product, extent) => product * extent, 1);
    if (!Number.isSafeInteger(from) || !Number.isSafeInteger(count) || from < 0 || count < 0 || from + count > rows) {
      throw new WorkloadError(
        "gguf.rows",
        `${this.path}: the tensor ${name} has ${rows} rows, asked for ${from} + ${count}.`,
        {
          file: this.path,
          name,
          rows,
          from,
          count,
        },
      );
    }
    const rowBytes = bytes / rows;
    const field = `tensor ${name} (row ${from})`;
    return this.#bytes({ field, offset: offset + from * rowBytes, length: count * rowBytes });
  }

  async #bytes(at: { field: string; offset: number; length: number }): Promise<Uint8Array> {
    const { buffer, byteOffset, byteLength } = await readExactly(this.#handle, { path: this.path, ...at });
    return new Uint8Array(buffer, byteOffset, byteLength);
  }

  close(): Promise<void> {
    return this.#handle.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/**
 * Opens a GGUF file, version 2 or 3, with tensors of the types in `GGUF_TYPES`, and checks its whole header.
 * Throws `gguf.*` with the file, the field and its byte; `gguf.unreadable` where there is no such file.
 */
export async function openGguf(path: string): Promise<GgufFile> {
  let handle: FileHandle;
  try {
    handle = await open(path, "r");
  } catch (cause) {
    throw new WorkloadError(
      "gguf.unreadable",
      `${path} cannot be opened: ${(cause as Error).message}.`,
      { file: path },
      { cause },
    );
  }
  try {
    const status = await handle.stat();
    if (!status.isFile()) throw new WorkloadError("gguf.unreadable", `${path} is not a file.`, { file: path });
    const header = await readHeader(new GgufCursor(handle, path, status.size), path);
    return new GgufFile(handle, header, status.size);
  } catch (error) {
    await handle.close();
    throw error;
  }
}
