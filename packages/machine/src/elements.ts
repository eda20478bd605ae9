import { BYTES, type ElementType } from "./program.ts";

/** The least and the greatest value of each type. */
export const RANGE: Record<ElementType, { readonly lo: bigint; readonly hi: bigint }> = {
  i8: { lo: -(2n ** 7n), hi: 2n ** 7n - 1n },
  i16: { lo: -(2n ** 15n), hi: 2n ** 15n - 1n },
  i32: { lo: -(2n ** 31n), hi: 2n ** 31n - 1n },
  i64: { lo: -(2n ** 63n), hi: 2n ** 63n - 1n },
};

/** The value of the type that is nearest: what a store does. */
export function saturate(type: ElementType, value: bigint): bigint {
  const { lo, hi } = RANGE[type];
  return value < lo ? lo : value > hi ? hi : value;
}

/** Element number `index` of a tensor given as bytes. */
export function readElement(type: ElementType, bytes: Uint8Array, index: number): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const at = index * BYTES[type];
  switch (type) {
    case "i8":
      return BigInt(view.getInt8(at));
    case "i16":
      return BigInt(view.getInt16(at, true));
    case "i32":
      return BigInt(view.getInt32(at, true));
    default:
      return view.getBigInt64(at, true);
  }
}

/** Whether all elements of a tensor given as bytes lie in an interval. */
export function areWithin(type: ElementType, bytes: Uint8Array, { lo, hi }: { lo: bigint; hi: bigint }): boolean {
  const all = RANGE[type];
  if (lo <= all.lo && hi >= all.hi) return true;
  const count = bytes.length / BYTES[type];
  if (type === "i64") {
    for (let at = 0; at < count; at++) {
      const value = readElement(type, bytes, at);
      if (value < lo || value > hi) return false;
    }
    return true;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [least, greatest] = [Number(lo), Number(hi)];
  for (let at = 0; at < count; at++) {
    const value =
      type === "i8" ? view.getInt8(at) : type === "i16" ? view.getInt16(at * 2, true) : view.getInt32(at * 4, true);
    if (value < least || value > greatest) return false;
  }
  return true;
}

/** Values as a tensor's bytes, little-endian. Each must be in the type's range. */
export function elementBytes(type: ElementType, values: Iterable<bigint>): Uint8Array {
  const list = [...values];
  const bytes = new Uint8Array(list.length * BYTES[type]);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of list.entries()) {
    if (type === "i8") view.setInt8(i, Number(value));
    else if (type === "i16") view.setInt16(i * 2, Number(value), true);
    else if (type === "i32") view.setInt32(i * 4, Number(value), true);
    else view.setBigInt64(i * 8, value, true);
  }
  return bytes;
}
