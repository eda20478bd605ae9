import { existsSync } from "node:fs";
import { mkdir, open, rename } from "node:fs/promises";
import path from "node:path";
import { dequantise, type GgufFile, type GgufTensor, openGguf } from "@foldmark/workloads";

const ALIGNMENT = 32;
const BLOCK = 32;
const BLOCK_BYTES = 34;
const CODES = { F32: 0, Q8_0: 8 } as const;
type Written = { name: string; from: GgufTensor; type: keyof typeof CODES; bytes: number };

/**
 * The same weights with 8 bits each, as llama.cpp's own `quantize` makes them: every matrix Q8_0, vectors as they are.
 * Metadata are copied byte by byte. Kept in `cacheDir` under the hash of the file that it was made from.
 */
export async function q8File(
  gguf: string,
  { sha256, cacheDir }: { sha256: string; cacheDir: string },
): Promise<string> {
  const target = path.join(cacheDir, `${sha256.slice(0, 16)}.Q8_0.gguf`);
  if (existsSync(target)) return target;
  await mkdir(cacheDir, { recursive: true });
  await using file = await openGguf(gguf);
  const tensors = [...file.tensors].map(([name, from]) => writtenAs(name, from));
  const part = `${target}.${process.pid}`;
  await using out = await open(part, "w");
  const header = Buffer.concat([await metadataBytes(gguf, file), tensorList(tensors)]);
  await out.write(padded(header));
  for (const tensor of tensors) await out.write(padded(await dataOf(file, tensor)));
  await rename(part, target);
  return target;
}

function writtenAs(name: string, from: GgufTensor): Written {
  const count = from.shape.reduce((product, extent) => product * extent, 1);
  return from.shape.length === 1
    ? { name, from, type: "F32", bytes: 4 * count }
    : { name, from, type: "Q8_0", bytes: (count / BLOCK) * BLOCK_BYTES };
}

/** Magic, version, counts and all metadata: what lies before the list of tensors. */
async function metadataBytes(gguf: string, { tensors }: GgufFile): Promise<Uint8Array> {
  const dataOffset = Math.min(...[...tensors.values()].map(({ offset }) => offset));
  const listed = [...tensors].map(([name, { shape }]) => 8 + Buffer.byteLength(name) + 4 + 8 * shape.length + 4 + 8);
  const latest = dataOffset - listed.reduce((sum, bytes) => sum + bytes, 0);
  const head = Buffer.alloc(dataOffset);
  await using handle = await open(gguf);
  await handle.read(head, 0, dataOffset, 0);
  // the list ends less than an alignment before the data
  const at = head.indexOf(stringBytes([...tensors.keys()][0] ?? ""), latest - ALIGNMENT + 1);
  if (at < 0 || at > latest) throw new Error(`${gguf}: the list of tensors is not where it should be`);
  return head.subarray(0, at);
}

function tensorList(tensors: readonly Written[]): Uint8Array {
  let offset = 0;
  return Buffer.concat(
    tensors.flatMap(({ name, from: { shape }, type, bytes }) => {
      const numbers = Buffer.alloc(4 + 8 * shape.length + 4 + 8);
      numbers.writeUInt32LE(shape.length, 0);
      for (const [i, extent] of shape.toReversed().entries()) numbers.writeBigUInt64LE(BigInt(extent), 4 + 8 * i);
      numbers.writeUInt32LE(CODES[type], 4 + 8 * shape.length);
      numbers.writeBigUInt64LE(BigInt(offset), 8 + 8 * shape.length);
      offset += Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
      return [stringBytes(name), numbers];
    }),
  );
}

async function dataOf(file: GgufFile, { name, from, type }: Written): Promise<Uint8Array> {
  const bytes = await file.read(name);
  if (from.type === type) return bytes;
  const floats = dequantise(from.type, bytes);
  return type === "F32" ? new Uint8Array(floats.buffer) : quantised(floats);
}

/** Blocks of 32: f16 d = max|x| / 127, then 32 x i8 round(x / d). @see `quantize_row_q8_0_ref` in ggml-quants.c */
export function quantised(floats: Float32Array): Uint8Array {
  const out = new Uint8Array((floats.length / BLOCK) * BLOCK_BYTES);
  const view = new DataView(out.buffer);
  for (let block = 0; block * BLOCK < floats.length; block++) {
    const values = floats.subarray(block * BLOCK, (block + 1) * BLOCK);
    const d = Math.fround(values.reduce((most, x) => Math.max(most, Math.abs(x)), 0) / 127);
    const inverse = d === 0 ? 0 : Math.fround(1 / d);
    view.setFloat16(block * BLOCK_BYTES, d, true);
    for (const [i, x] of values.entries()) {
      const scaled = Math.fround(x * inverse);
      view.setInt8(block * BLOCK_BYTES + 2 + i, Math.sign(scaled) * Math.floor(Math.abs(scaled) + 0.5));
    }
  }
  return out;
}

function stringBytes(text: string): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(text)));
  return Buffer.concat([length, Buffer.from(text)]);
}

function padded(bytes: Uint8Array): Uint8Array {
  const all = new Uint8Array(Math.ceil(bytes.length / ALIGNMENT) * ALIGNMENT);
  all.set(bytes);
  return all;
}
