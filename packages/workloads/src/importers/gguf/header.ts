import type { GgufCursor } from "./cursor.ts";
import { GgufMetadata, type GgufValue, readValue } from "./metadata.ts";
import { describeGgufType, GGUF_TYPES, type GgufType, ggufTypeOf } from "./types.ts";

/** A tensor of the file. */
export type GgufTensor = {
  type: GgufType;
  /** Outermost first: `[rows, columns]`. (The file has them the other way round.) */
  shape: number[];
  /** Where its first byte lies in the file. */
  offset: number;
  bytes: number;
};

export type GgufHeader = { version: 2 | 3; metadata: GgufMetadata; tensors: Map<string, GgufTensor>; path: string };

const MAGIC = 0x46554747; // "GGUF"
const MAX_ENTRIES = 1 << 16;
const MAX_DIMENSIONS = 4;
const DEFAULT_ALIGNMENT = 32;
const MAX_ALIGNMENT = 1 << 20;

type TensorInfo = GgufTensor & { name: string; infoOffset: number };

/**
 * Reads everything before the tensors' data and checks that the data can be there: names, types, shapes, alignment,
 * extents. Throws `gguf.*` with the file, the field and its byte.
 * @see docs/gguf.md of ggml-org/ggml
 */
export async function readHeader(cursor: GgufCursor, path: string): Promise<GgufHeader> {
  const magic = await cursor.u32("magic");
  if (magic !== MAGIC) {
    const what = `it is 0x${magic.toString(16).padStart(8, "0")}, a GGUF file starts with the letters GGUF`;
    throw cursor.error("gguf.magic", what, "magic", 0, { magic });
  }
  const version = await cursor.u32("version");
  if (version !== 2 && version !== 3) {
    const isBigEndian = version > 0xffff;
    const what = isBigEndian ? "the file is big-endian" : `version ${version} is not read, only 2 and 3 are`;
    throw cursor.error("gguf.version", what, "version", 4, { version });
  }
  const tensorCount = await cursor.count("tensor count", MAX_ENTRIES);
  const keyCount = await cursor.count("key count", MAX_ENTRIES);

  const values = new Map<string, GgufValue>();
  const offsets = new Map<string, number>();
  for (let i = 0; i < keyCount; i++) {
    const offset = cursor.offset;
    const key = await cursor.string(`key ${i}`);
    if (values.has(key))
      throw cursor.error("gguf.duplicate", `the key ${key} occurs twice`, `key ${i}`, offset, { key });
    offsets.set(key, cursor.offset);
    values.set(key, await readValue(cursor, key));
  }
  const metadata = new GgufMetadata(path, values, offsets);
  const alignment = alignmentOf(cursor, metadata);

  const tensors = new Map<string, GgufTensor>();
  const infos: TensorInfo[] = [];
  for (let i = 0; i < tensorCount; i++) {
    const info = await readTensorInfo(cursor, { number: i, alignment });
    if (tensors.has(info.name)) {
      const what = `the tensor ${info.name} occurs twice`;
      throw cursor.error("gguf.duplicate", what, `tensor ${i}`, info.infoOffset, { name: info.name });
    }
    const { name, infoOffset: _, ...tensor } = info;
    tensors.set(name, tensor);
    infos.push(info);
  }
  const dataOffset = Math.ceil(cursor.offset / alignment) * alignment;
  for (const info of infos) {
    const tensor = tensors.get(info.name) as GgufTensor;
    tensor.offset = info.offset = dataOffset + info.offset;
  }
  checkExtents(cursor, infos);
  return { version, metadata, tensors, path };
}

function alignmentOf(cursor: GgufCursor, metadata: GgufMetadata): number {
  if (!metadata.has("general.alignment")) return DEFAULT_ALIGNMENT;
  const alignment = metadata.integer("general.alignment");
  const isPowerOfTwo = Number.isInteger(Math.log2(alignment));
  if (alignment >= 8 && alignment <= MAX_ALIGNMENT && isPowerOfTwo) return alignment;
  const what = `it must be a power of two from 8 to ${MAX_ALIGNMENT}, it is ${alignment}`;
  throw cursor.error("gguf.alignment", what, "general.alignment", cursor.offset, { alignment });
}

/** One entry of the tensor list; its offset still counts from the start of the data. */
async function readTensorInfo(cursor: GgufCursor, at: { number: number; alignment: number }): Promise<TensorInfo> {
  const infoOffset = cursor.offset;
  const name = await cursor.string(`tensor ${at.number} (name)`);
  const field = `tensor ${name}`;

  const dimensionsOffset = cursor.offset;
  const dimensions = await cursor.u32(`${field} (dimensions)`);
  if (dimensions < 1 || dimensions > MAX_DIMENSIONS) {
    const what = `it has ${dimensions} dimensions, 1 to ${MAX_DIMENSIONS} are read`;
    throw cursor.error("gguf.shape", what, `${field} (dimensions)`, dimensionsOffset, { dimensions });
  }
  const shape: number[] = [];
  for (let i = 0; i < dimensions; i++) {
    const offset = cursor.offset;
    const extent = await cursor.count(`${field} (dimension ${i})`, Number.MAX_SAFE_INTEGER);
    if (extent === 0) throw cursor.error("gguf.shape", "it is 0", `${field} (dimension ${i})`, offset);
    shape.unshift(extent);
  }

  const typeOffset = cursor.offset;
  const code = await cursor.u32(`${field} (type)`);
  const type = ggufTypeOf(code);
  if (!type) {
    const what = `${describeGgufType(code)} is not supported, only ${Object.keys(GGUF_TYPES).join(", ")} are`;
    throw cursor.error("gguf.type", what, `${field} (type)`, typeOffset, { type: code });
  }
  const { blockSize, blockBytes } = GGUF_TYPES[type];
  const columns = shape.at(-1) as number;
  if (columns % blockSize !== 0) {
    const what = `rows of ${columns} elements cannot be cut into blocks of ${blockSize} (${type})`;
    throw cursor.error("gguf.shape", what, `${field} (shape)`, dimensionsOffset, { shape, type });
  }
  // doubles are exact up to 2^53; a larger product stays larger than any file
  const bytes = shape.reduce((product, extent) => product * extent, blockBytes / blockSize);

  const offsetOffset = cursor.offset;
  const offset = await cursor.count(`${field} (offset)`, Number.MAX_SAFE_INTEGER);
  if (offset % at.alignment !== 0) {
    const what = `its data starts at ${offset}, no multiple of the alignment ${at.alignment}`;
    throw cursor.error("gguf.alignment", what, `${field} (offset)`, offsetOffset, { value: offset });
  }
  return { name, type, shape, offset, bytes, infoOffset };
}

/** Every tensor lies inside the file and no two share a byte. */
function checkExtents(cursor: GgufCursor, infos: TensorInfo[]): void {
  let previous: TensorInfo | undefined;
  for (const info of infos.toSorted((a, b) => a.offset - b.offset)) {
    const end = info.offset + info.bytes;
    if (end > cursor.sizeBytes) {
      const what = `its data reaches to byte ${end}, the file ends at byte ${cursor.sizeBytes}`;
      throw cursor.error("gguf.extent", what, `tensor ${info.name}`, info.offset, { end, sizeBytes: cursor.sizeBytes });
    }
    if (previous && info.offset < previous.offset + previous.bytes) {
      const what = `its data overlaps that of ${previous.name}`;
      throw cursor.error("gguf.extent", what, `tensor ${info.name}`, info.offset, { overlaps: previous.name });
    }
    previous = info;
  }
}
