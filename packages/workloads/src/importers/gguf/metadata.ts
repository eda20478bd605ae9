import { WorkloadError } from "../../errors.ts";
import type { GgufCursor } from "./cursor.ts";

/** A value of the key-value section. 64-bit integers are bigint; arrays of numbers are plain arrays. */
export type GgufValue = number | bigint | boolean | string | number[] | bigint[] | boolean[] | string[];

const MAX_ARRAY_LENGTH = 1 << 22;
const ARRAY = 9;

type ScalarReader = {
  bytes: number;
  read: (cursor: GgufCursor, field: string) => Promise<number | bigint | boolean | string>;
};
/** Value types by their number; `bytes` is the least that one element takes. Source: `docs/gguf.md` of ggml-org/ggml. */
const SCALARS: Record<number, ScalarReader> = {
  0: { bytes: 1, read: (cursor, field) => cursor.u8(field) },
  1: { bytes: 1, read: (cursor, field) => cursor.i8(field) },
  2: { bytes: 2, read: (cursor, field) => cursor.u16(field) },
  3: { bytes: 2, read: (cursor, field) => cursor.i16(field) },
  4: { bytes: 4, read: (cursor, field) => cursor.u32(field) },
  5: { bytes: 4, read: (cursor, field) => cursor.i32(field) },
  6: { bytes: 4, read: (cursor, field) => cursor.f32(field) },
  7: { bytes: 1, read: boolean },
  8: { bytes: 8, read: (cursor, field) => cursor.string(field) },
  10: { bytes: 8, read: (cursor, field) => cursor.u64(field) },
  11: { bytes: 8, read: (cursor, field) => cursor.i64(field) },
  12: { bytes: 8, read: (cursor, field) => cursor.f64(field) },
};

async function boolean(cursor: GgufCursor, field: string): Promise<boolean> {
  const offset = cursor.offset;
  const value = await cursor.u8(field);
  if (value > 1) throw cursor.error("gguf.metadata", `a boolean is 0 or 1, not ${value}`, field, offset, { value });
  return value === 1;
}

/** Reads one value, its type first. */
export async function readValue(cursor: GgufCursor, field: string): Promise<GgufValue> {
  const offset = cursor.offset;
  const type = await cursor.u32(`${field} (type)`);
  if (type !== ARRAY) return scalarOf(cursor, { type, field, offset }).read(cursor, field);

  const elementOffset = cursor.offset;
  const elementType = await cursor.u32(`${field} (element type)`);
  const { bytes, read } = scalarOf(cursor, { type: elementType, field, offset: elementOffset });
  const lengthOffset = cursor.offset;
  const length = await cursor.count(`${field} (array length)`, MAX_ARRAY_LENGTH);
  if (length * bytes > cursor.bytesLeft) {
    const what = `${length} elements need at least ${length * bytes} bytes, the file ends at byte ${cursor.sizeBytes}`;
    throw cursor.error("gguf.truncated", what, `${field} (array length)`, lengthOffset, { length });
  }
  const values: (number | bigint | boolean | string)[] = [];
  for (let i = 0; i < length; i++) values.push(await read(cursor, `${field}[${i}]`));
  return values as GgufValue; // one reader made them all, so they are of one type
}

function scalarOf(cursor: GgufCursor, at: { type: number; field: string; offset: number }): ScalarReader {
  const reader = SCALARS[at.type];
  if (reader) return reader;
  const what = at.type === ARRAY ? "an array of arrays is not read" : `value type ${at.type} is unknown`;
  throw cursor.error("gguf.metadata", what, at.field, at.offset, { type: at.type });
}

/** The key-value section of a file, with getters that throw `gguf.metadata` naming file and key. */
export class GgufMetadata implements Iterable<[string, GgufValue]> {
  readonly #path: string;
  readonly #values: ReadonlyMap<string, GgufValue>;
  readonly #offsets: ReadonlyMap<string, number>;

  /** @param offsets - where in the file each value starts, its type first */
  constructor(path: string, values: ReadonlyMap<string, GgufValue>, offsets: ReadonlyMap<string, number>) {
    this.#path = path;
    this.#values = values;
    this.#offsets = offsets;
  }

  /** Where the value of a key starts in the file. */
  offsetOf(key: string): number | undefined {
    return this.#offsets.get(key);
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  get(key: string): GgufValue | undefined {
    return this.#values.get(key);
  }

  [Symbol.iterator](): Iterator<[string, GgufValue]> {
    return this.#values[Symbol.iterator]();
  }

  string(key: string): string {
    const value = this.#required(key);
    return typeof value === "string" ? value : this.#refuse(key, "a string", value);
  }

  /** A finite number; a 64-bit integer only where a double holds it exactly. */
  number(key: string): number {
    const value = this.#required(key);
    const number = typeof value === "bigint" ? Number(value) : value;
    const isExact = typeof value !== "bigint" || Number.isSafeInteger(number);
    return typeof number === "number" && Number.isFinite(number) && isExact
      ? number
      : this.#refuse(key, "a number", value);
  }

  /** A whole number of at least `least`, at most 2^53 - 1. */
  integer(key: string, least = 0): number {
    const value = this.number(key);
    return Number.isSafeInteger(value) && value >= least
      ? value
      : this.#refuse(key, `a whole number of at least ${least}`, value);
  }

  boolean(key: string): boolean {
    const value = this.#required(key);
    return typeof value === "boolean" ? value : this.#refuse(key, "a boolean", value);
  }

  strings(key: string): string[] {
    const value = this.#required(key);
    return Array.isArray(value) && value.every((item) => typeof item === "string")
      ? value
      : this.#refuse(key, "an array of strings", value);
  }

  numbers(key: string): number[] {
    const value = this.#required(key);
    return Array.isArray(value) && value.every((item) => typeof item === "number" && Number.isFinite(item))
      ? (value as number[])
      : this.#refuse(key, "an array of numbers", value);
  }

  #required(key: string): GgufValue {
    const value = this.#values.get(key);
    if (value !== undefined) return value;
    throw new WorkloadError("gguf.metadata", `${this.#path}: the key ${key} is missing.`, { file: this.#path, key });
  }

  #refuse(key: string, wanted: string, value: GgufValue): never {
    const got = Array.isArray(value) ? `an array of ${value.length}` : `${typeof value} ${String(value).slice(0, 80)}`;
    const offset = this.offsetOf(key);
    throw new WorkloadError(
      "gguf.metadata",
      `${this.#path}: ${key} at byte ${offset}: it must be ${wanted}, it is ${got}.`,
      { file: this.#path, key, offset, wanted, got },
    );
  }
}
