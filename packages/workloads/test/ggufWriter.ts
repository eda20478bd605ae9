/** Writes small GGUF files for tests. Values say their type, so that a test can write a wrong one on purpose. */
export type WrittenValue =
  | { u8: number }
  | { u32: number }
  | { i32: number }
  | { f32: number }
  | { bool: number }
  | { text: string }
  | { u64: bigint }
  | { texts: string[] }
  | { f32s: number[] }
  | { i32s: number[] }
  | { raw: Uint8Array };

export type WrittenTensor = { name: string; type: number; shape: number[]; data: Uint8Array; offset?: number };

export type WrittenFile = {
  magic?: string;
  version?: number;
  alignment?: number;
  metadata?: [string, WrittenValue][];
  tensors?: WrittenTensor[];
  tensorCount?: bigint;
  keyCount?: bigint;
};

export const u32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
export const u64 = (value: bigint): Uint8Array => new Uint8Array(BigUint64Array.of(value).buffer);
const f32 = (value: number): Uint8Array => new Uint8Array(Float32Array.of(value).buffer);
export const text = (value: string): Uint8Array => {
  const bytes = new TextEncoder().encode(value);
  return Buffer.concat([u64(BigInt(bytes.length)), bytes]);
};
const array = (type: number, items: Uint8Array[]): Uint8Array =>
  Buffer.concat([u32(9), u32(type), u64(BigInt(items.length)), ...items]);

function encode(value: WrittenValue): Uint8Array {
  if ("u8" in value) return Buffer.concat([u32(0), Uint8Array.of(value.u8)]);
  if ("u32" in value) return Buffer.concat([u32(4), u32(value.u32)]);
  if ("i32" in value) return Buffer.concat([u32(5), u32(value.i32)]);
  if ("f32" in value) return Buffer.concat([u32(6), f32(value.f32)]);
  if ("bool" in value) return Buffer.concat([u32(7), Uint8Array.of(value.bool)]);
  if ("text" in value) return Buffer.concat([u32(8), text(value.text)]);
  if ("u64" in value) return Buffer.concat([u32(10), u64(value.u64)]);
  if ("texts" in value) return array(8, value.texts.map(text));
  if ("f32s" in value) return array(6, value.f32s.map(f32));
  if ("i32s" in value) return array(5, value.i32s.map(u32));
  return value.raw;
}

/** The bytes of a file. Shapes are outermost first, tensors lie one after the other unless they say an offset. */
export function writeGguf(file: WrittenFile): Uint8Array {
  const { magic = "GGUF", version = 3, alignment = 32, metadata = [], tensors = [] } = file;
  const parts: Uint8Array[] = [
    new TextEncoder().encode(magic),
    u32(version),
    u64(file.tensorCount ?? BigInt(tensors.length)),
    u64(file.keyCount ?? BigInt(metadata.length)),
  ];
  for (const [key, value] of metadata) parts.push(text(key), encode(value));

  const data: Uint8Array[] = [];
  let dataBytes = 0;
  for (const tensor of tensors) {
    const padding = (alignment - (dataBytes % alignment)) % alignment;
    data.push(new Uint8Array(padding), tensor.data);
    dataBytes += padding;
    parts.push(
      text(tensor.name),
      u32(tensor.shape.length),
      ...tensor.shape.toReversed().map((extent) => u64(BigInt(extent))),
    );
    parts.push(u32(tensor.type), u64(BigInt(tensor.offset ?? dataBytes)));
    dataBytes += tensor.data.length;
  }
  const headerBytes = parts.reduce((sum, part) => sum + part.length, 0);
  const padding = new Uint8Array((alignment - (headerBytes % alignment)) % alignment);
  return Buffer.concat([...parts, padding, ...data]);
}
