import { createWriteStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { PassThrough, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createInflateRaw } from "node:zlib";
import { WorkloadError } from "../errors.ts";
import type { StepOptions } from "./progress.ts";

type Member = { method: number; packedBytes: number; bytes: number; headerOffset: number };
export type ExtractOptions = StepOptions & {
  member: string;
  /** Where the member is written; a file that is there is replaced. */
  to: string;
  /** Bytes that the member must have. */
  sizeBytes: number;
};

const END = { signature: 0x06054b50, bytes: 22, maxComment: 0xffff };
const ENTRY = { signature: 0x02014b50, bytes: 46 };
const LOCAL = { signature: 0x04034b50, bytes: 30 };
const STORED = 0;
const DEFLATED = 8;

/**
 * Writes one member of a zip file to disk, a piece at a time. Throws `zip.malformed`, `zip.member_missing` and
 * `zip.unsupported` (encrypted, zip64, or packed by another method) naming the file.
 * @see APPNOTE.TXT 6.3, section 4.3
 */
export async function extractMember(path: string, options: ExtractOptions): Promise<void> {
  const { member: name, to, sizeBytes, onProgress, signal } = options;
  const handle = await open(path, "r");
  try {
    const member = await findMember(handle, path, name);
    if (member.bytes !== sizeBytes) {
      throw malformed(path, `${name} has ${member.bytes} bytes, expected ${sizeBytes}`);
    }
    const start = await dataOffset(handle, path, member);
    let doneBytes = 0;
    const count = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        doneBytes += chunk.length;
        if (doneBytes > sizeBytes) return done(malformed(path, `${name} unpacks to more than ${sizeBytes} bytes`));
        onProgress?.({ step: "extract", doneBytes, totalBytes: sizeBytes });
        done(null, chunk);
      },
    });
    const packed = handle.createReadStream({
      start,
      end: start + member.packedBytes - 1,
      autoClose: false,
      highWaterMark: 1 << 18,
    });
    const unpack = member.method === STORED ? new PassThrough() : createInflateRaw();
    await pipeline(packed, unpack, count, createWriteStream(to), { signal }).catch((cause: NodeJS.ErrnoException) => {
      throw cause.code?.startsWith("Z_")
        ? malformed(path, `${name} cannot be unpacked (${cause.message})`, cause)
        : cause;
    });
    if (doneBytes !== sizeBytes) throw malformed(path, `${name} unpacks to ${doneBytes} bytes, expected ${sizeBytes}`);
  } finally {
    await handle.close();
  }
}

async function findMember(handle: FileHandle, path: string, name: string): Promise<Member> {
  const { size } = await handle.stat();
  const tailBytes = Math.min(size, END.bytes + END.maxComment);
  const tail = await read(handle, path, size - tailBytes, tailBytes);
  let end = tail.length - END.bytes;
  while (end >= 0 && tail.readUInt32LE(end) !== END.signature) end--;
  if (end < 0) throw malformed(path, "it is no zip file");

  const entries = tail.readUInt16LE(end + 10);
  const directoryBytes = tail.readUInt32LE(end + 12);
  const directoryOffset = tail.readUInt32LE(end + 16);
  if (entries === 0xffff || directoryOffset === 0xffff_ffff) throw unsupported(path, "it is a zip64 file");
  const directory = await read(handle, path, directoryOffset, directoryBytes);
  for (let i = 0, at = 0; i < entries; i++) {
    if (at + ENTRY.bytes > directory.length || directory.readUInt32LE(at) !== ENTRY.signature) {
      throw malformed(path, `entry ${i} of its directory is damaged`);
    }
    const nameEnd = at + ENTRY.bytes + directory.readUInt16LE(at + 28);
    if (directory.toString("utf8", at + ENTRY.bytes, nameEnd) === name) return memberAt(path, directory, at);
    at = nameEnd + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  throw new WorkloadError("zip.member_missing", `${path} holds no ${name}.`, { file: path, member: name });
}

function memberAt(path: string, directory: Buffer, at: number): Member {
  const isEncrypted = (directory.readUInt16LE(at + 8) & 1) === 1;
  const method = directory.readUInt16LE(at + 10);
  if (isEncrypted) throw unsupported(path, "it is encrypted");
  if (method !== STORED && method !== DEFLATED) throw unsupported(path, `its packing method is ${method}`);
  const [packedBytes, bytes, headerOffset] = [20, 24, 42].map((field) => directory.readUInt32LE(at + field)) as [
    number,
    number,
    number,
  ];
  if ([packedBytes, bytes, headerOffset].includes(0xffff_ffff)) throw unsupported(path, "it is a zip64 file");
  return { method, packedBytes, bytes, headerOffset };
}

async function dataOffset(handle: FileHandle, path: string, { headerOffset }: Member): Promise<number> {
  const header = await read(handle, path, headerOffset, LOCAL.bytes);
  if (header.readUInt32LE(0) !== LOCAL.signature) throw malformed(path, `there is no member at byte ${headerOffset}`);
  return headerOffset + LOCAL.bytes + header.readUInt16LE(26) + header.readUInt16LE(28);
}

async function read(handle: FileHandle, path: string, offset: number, length: number): Promise<Buffer> {
  const { size } = await handle.stat();
  if (offset + length > size) throw malformed(path, `it ends at byte ${size}, byte ${offset + length} is needed`);
  const buffer = Buffer.alloc(length);
  for (let filled = 0; filled < length; ) {
    const { bytesRead } = await handle.read(buffer, filled, length - filled, offset + filled);
    if (bytesRead === 0) throw malformed(path, `it ends at byte ${offset + filled}`);
    filled += bytesRead;
  }
  return buffer;
}

const malformed = (file: string, what: string, cause?: unknown): WorkloadError =>
  new WorkloadError("zip.malformed", `${file}: ${what}.`, { file }, { cause });
const unsupported = (file: string, what: string): WorkloadError =>
  new WorkloadError("zip.unsupported", `${file}: ${what}.`, { file });
