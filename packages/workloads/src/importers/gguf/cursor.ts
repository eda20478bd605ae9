import type { FileHandle } from "node:fs/promises";
import { WorkloadError } from "../../errors.ts";

const CHUNK_BYTES = 1 << 20;
/** Longer strings than this are no tokens, names or templates. */
const MAX_STRING_BYTES = 1 << 24;

/** A place in a file: every refusal names the file, the field that was read and the byte at which it starts. */
export class GgufCursor {
  readonly #handle: FileHandle;
  readonly #path: string;
  readonly sizeBytes: number;
  #chunk: Buffer = Buffer.alloc(0);
  #chunkAt = 0;
  #offset = 0;
  // a token may be U+FEFF itself, so a byte order mark is text here
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  constructor(handle: FileHandle, path: string, sizeBytes: number) {
    this.#handle = handle;
    this.#path = path;
    this.sizeBytes = sizeBytes;
  }

  /** Where the next field starts. */
  get offset(): number {
    return this.#offset;
  }

  /** Bytes of the file that lie behind the cursor. */
  get bytesLeft(): number {
    return this.sizeBytes - this.#offset;
  }

  /** The error for a field that starts at `offset`. */
  error(
    code: string,
    what: string,
    field: string,
    offset: number,
    details: Record<string, unknown> = {},
  ): WorkloadError {
    return new WorkloadError(code, `${this.#path}: ${field} at byte ${offset}: ${what}.`, {
      file: this.#path,
      field,
      offset,
      ...details,
    });
  }

  async u8(field: string): Promise<number> {
    return (await this.#take(1, field)).readUInt8(0);
  }
  async i8(field: string): Promise<number> {
    return (await this.#take(1, field)).readInt8(0);
  }
  async u16(field: string): Promise<number> {
    return (await this.#take(2, field)).readUInt16LE(0);
  }
  async i16(field: string): Promise<number> {
    return (await this.#take(2, field)).readInt16LE(0);
  }
  async u32(field: string): Promise<number> {
    return (await this.#take(4, field)).readUInt32LE(0);
  }
  async i32(field: string): Promise<number> {
    return (await this.#take(4, field)).readInt32LE(0);
  }
  async u64(field: string): Promise<bigint> {
    return (await this.#take(8, field)).readBigUInt64LE(0);
  }
  async i64(field: string): Promise<bigint> {
    return (await this.#take(8, field)).readBigInt64LE(0);
  }
  async f32(field: string): Promise<number> {
    return (await this.#take(4, field)).readFloatLE(0);
  }
  async f64(field: string): Promise<number> {
    return (await this.#take(8, field)).readDoubleLE(0);
  }

  /** A u64 that counts things, at most `most`. */
  async count(field: string, most: number): Promise<number> {
    const offset = this.#offset;
    const value = await this.u64(field);
    if (value > BigInt(most)) {
      throw this.error("gguf.count", `the file says ${value}, at most ${most} is read`, field, offset, { value, most });
    }
    return Number(value);
  }

  /** A u64 length and as many bytes of UTF-8. */
  async string(field: string): Promise<string> {
    const offset = this.#offset;
    const length = await this.count(`${field} (length)`, MAX_STRING_BYTES);
    const bytes = await this.#take(length, field);
    try {
      return this.#utf8.decode(bytes);
    } catch (cause) {
      throw Object.assign(this.error("gguf.string", "it is not UTF-8", field, offset), { cause });
    }
  }

  /** The next `length` bytes; valid until the next read. */
  async #take(length: number, field: string): Promise<Buffer> {
    const offset = this.#offset;
    if (length > this.bytesLeft) {
      throw this.error(
        "gguf.truncated",
        `${length} bytes are needed, the file ends at byte ${this.sizeBytes}`,
        field,
        offset,
        { needed: length, sizeBytes: this.sizeBytes },
      );
    }
    let start = offset - this.#chunkAt;
    if (start + length > this.#chunk.length) {
      const wanted = Math.min(Math.max(length, CHUNK_BYTES), this.bytesLeft);
      this.#chunk = await readExactly(this.#handle, { path: this.#path, field, offset, length: wanted });
      this.#chunkAt = offset;
      start = 0;
    }
    this.#offset += length;
    return this.#chunk.subarray(start, start + length);
  }
}

/** Bytes of a file, all of them or an error: a file that shrinks while it is read is refused like a short one. */
export async function readExactly(
  handle: FileHandle,
  { path, field, offset, length }: { path: string; field: string; offset: number; length: number },
): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(bytes, filled, Math.min(length - filled, 1 << 30), offset + filled);
    if (bytesRead === 0) {
      throw new WorkloadError(
        "gguf.truncated",
        `${path}: ${field} at byte ${offset}: ${length} bytes are needed, only ${filled} could be read.`,
        { file: path, field, offset, needed: length, read: filled },
      );
    }
    filled += bytesRead;
  }
  return bytes;
}
