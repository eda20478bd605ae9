import { WorkloadError } from "../errors.ts";
import { GGUF_TYPES, type GgufType } from "./gguf/types.ts";

/**
 * The numbers of a tensor's bytes as float32, with one rounding after each multiplication and each addition, so that
 * every machine gets the same bits. Throws `gguf.block` where the bytes are no whole number of blocks.
 * @see `dequantize_row_*` in ggml-quants.c of ggml-org/ggml
 */
export function dequantise(type: GgufType, bytes: Uint8Array): Float32Array {
  const { blockSize, blockBytes } = GGUF_TYPES[type];
  if (bytes.length % blockBytes !== 0) {
    throw new WorkloadError(
      "gguf.block",
      `${bytes.length} bytes are no whole number of ${type} blocks (${blockBytes} bytes).`,
      {
        type,
        bytes: bytes.length,
      },
    );
  }
  const blocks = bytes.length / blockBytes;
  const out = new Float32Array(blocks * blockSize);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  DECODERS[type](view, blocks, out);
  return out;
}

/** Fills `out` from `blocks` blocks. Storing into a Float32Array is the rounding of the last operation. */
type Decoder = (view: DataView, blocks: number, out: Float32Array) => void;

const DECODERS: Record<GgufType, Decoder> = {
  F32: (view, blocks, out) => {
    for (let i = 0; i < blocks; i++) out[i] = view.getFloat32(4 * i, true);
  },
  F16: (view, blocks, out) => {
    for (let i = 0; i < blocks; i++) out[i] = halfToFloat(view.getUint16(2 * i, true));
  },
  BF16: (view, blocks, out) => {
    const bits = new Uint32Array(out.buffer);
    for (let i = 0; i < blocks; i++) bits[i] = view.getUint16(2 * i, true) << 16;
  },
  /** f16 d, 32 x i8: d * q */
  Q8_0: (view, blocks, out) => {
    for (let b = 0; b < blocks; b++) {
      const d = halfToFloat(view.getUint16(34 * b, true));
      for (let i = 0; i < 32; i++) out[32 * b + i] = d * view.getInt8(34 * b + 2 + i);
    }
  },
  /** f16 d, 16 bytes: d * (nibble - 8); low nibbles are elements 0..15, high nibbles 16..31 */
  Q4_0: (view, blocks, out) => {
    for (let b = 0; b < blocks; b++) {
      const d = halfToFloat(view.getUint16(18 * b, true));
      for (let i = 0; i < 16; i++) {
        const pair = view.getUint8(18 * b + 2 + i);
        out[32 * b + i] = d * ((pair & 15) - 8);
        out[32 * b + 16 + i] = d * ((pair >> 4) - 8);
      }
    }
  },
  /** f16 d, f16 m, 16 bytes: d * nibble + m */
  Q4_1: (view, blocks, out) => {
    for (let b = 0; b < blocks; b++) {
      const d = halfToFloat(view.getUint16(20 * b, true));
      const m = halfToFloat(view.getUint16(20 * b + 2, true));
      for (let i = 0; i < 16; i++) {
        const pair = view.getUint8(20 * b + 4 + i);
        out[32 * b + i] = Math.fround(d * (pair & 15)) + m;
        out[32 * b + 16 + i] = Math.fround(d * (pair >> 4)) + m;
      }
    }
  },
};

/** The value of an IEEE 754 half: exact in float32. */
export function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  // 2^(exponent - 25) from integers alone: powers of two are exact, Math.pow need not be
  return exponent === 0
    ? (sign * fraction) / 16_777_216
    : sign * (1024 + fraction) * (exponent >= 25 ? 1 << (exponent - 25) : 1 / (1 << (25 - exponent)));
}
