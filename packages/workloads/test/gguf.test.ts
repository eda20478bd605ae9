import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WorkloadError } from "../src/errors.ts";
import { openGguf } from "../src/importers/gguf/file.ts";
import { text, u32, u64, type WrittenFile, writeGguf } from "./ggufWriter.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "foldmark-gguf-"));
});
afterAll(() => rm(folder, { recursive: true }));

let files = 0;
async function fileOf(bytes: Uint8Array): Promise<string> {
  const path = join(folder, `${files++}.gguf`);
  await writeFile(path, bytes);
  return path;
}
const openBytes = async (bytes: Uint8Array) => openGguf(await fileOf(bytes));
const openWritten = (file: WrittenFile) => openBytes(writeGguf(file));

async function refusalOf(opening: Promise<unknown>): Promise<WorkloadError> {
  const error = await opening.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof WorkloadError) return error;
  throw new Error(`no refusal, but ${String(error)}`);
}

const small: WrittenFile = {
  metadata: [
    ["general.architecture", { text: "llama" }],
    ["llama.block_count", { u32: 2 }],
    ["llama.rope.freq_base", { f32: 0.5 }],
    ["big", { u64: 1n << 60n }],
    ["flag", { bool: 1 }],
    ["tokens", { texts: ["a", "\ufeff", "é"] }],
    ["scores", { f32s: [0, -1, -2] }],
    ["types", { i32s: [1, -3] }],
  ],
  tensors: [
    { name: "norm", type: 0, shape: [3], data: new Uint8Array(Float32Array.of(1, 2, 3).buffer) },
    { name: "weight", type: 8, shape: [4, 32], data: Uint8Array.from({ length: 4 * 34 }, (_, i) => i) },
  ],
};

describe("openGguf", () => {
  it.each([2, 3])("reads metadata and tensors of version %i", async (version) => {
    await using gguf = await openWritten({ ...small, version });
    expect(gguf.version).toBe(version);
    expect(gguf.metadata.string("general.architecture")).toBe("llama");
    expect(gguf.metadata.integer("llama.block_count")).toBe(2);
    expect(gguf.metadata.number("llama.rope.freq_base")).toBe(0.5);
    expect(gguf.metadata.get("big")).toBe(1n << 60n);
    expect(gguf.metadata.boolean("flag")).toBe(true);
    expect(gguf.metadata.strings("tokens")).toEqual(["a", "\ufeff", "é"]);
    expect(gguf.metadata.numbers("scores")).toEqual([0, -1, -2]);
    expect(gguf.metadata.numbers("types")).toEqual([1, -3]);
    expect([...gguf.tensors.keys()]).toEqual(["norm", "weight"]);
    expect(gguf.tensor("weight")).toMatchObject({ type: "Q8_0", shape: [4, 32], bytes: 136 });
    expect(new Float32Array((await gguf.read("norm")).buffer)).toEqual(Float32Array.of(1, 2, 3));
  });

  it("reads rows without the rest of the tensor", async () => {
    await using gguf = await openWritten(small);
    expect([...(await gguf.rows("weight", 1, 2))]).toEqual(Array.from({ length: 68 }, (_, i) => 34 + i));
    expect(await refusalOf(gguf.rows("weight", 3, 2))).toMatchObject({
      code: "gguf.rows",
      details: { rows: 4, from: 3 },
    });
  });

  it("honours the file's alignment", async () => {
    await using gguf = await openWritten({
      ...small,
      alignment: 256,
      metadata: [["general.alignment", { u32: 256 }]],
    });
    expect(gguf.tensor("weight").offset % 256).toBe(0);
    expect((await gguf.read("weight"))[135]).toBe(135);
  });

  it("names the key that is missing or of another type", async () => {
    await using gguf = await openWritten(small);
    for (const get of [() => gguf.metadata.string("absent"), () => gguf.metadata.string("llama.block_count")]) {
      expect(get).toThrow(expect.objectContaining({ code: "gguf.metadata" }));
    }
    expect(() => gguf.metadata.number("big")).toThrow(/big at byte \d+: it must be a number/);
    expect(() => gguf.tensor("absent")).toThrow(/the tensor absent is missing/);
  });

  it.each<{ behaviour: string; bytes: Uint8Array; code: string; field: string; offset: number }>([
    {
      behaviour: "another format",
      bytes: writeGguf({ ...small, magic: "GGML" }),
      code: "gguf.magic",
      field: "magic",
      offset: 0,
    },
    { behaviour: "an empty file", bytes: new Uint8Array(), code: "gguf.truncated", field: "magic", offset: 0 },
    {
      behaviour: "version 1",
      bytes: writeGguf({ ...small, version: 1 }),
      code: "gguf.version",
      field: "version",
      offset: 4,
    },
    {
      behaviour: "a big-endian file",
      bytes: writeGguf({ ...small, version: 0x03000000 }),
      code: "gguf.version",
      field: "version",
      offset: 4,
    },
    {
      behaviour: "a tensor count beyond reason",
      bytes: writeGguf({ ...small, tensorCount: 1n << 40n }),
      code: "gguf.count",
      field: "tensor count",
      offset: 8,
    },
    {
      behaviour: "a key count beyond reason",
      bytes: writeGguf({ ...small, keyCount: (1n << 64n) - 1n }),
      code: "gguf.count",
      field: "key count",
      offset: 16,
    },
    {
      behaviour: "an array longer than the file",
      bytes: writeGguf({ metadata: [["a", { raw: Buffer.concat([u32(9), u32(4), u64(1_000_000n)]) }]] }),
      code: "gguf.truncated",
      field: "a (array length)",
      offset: 24 + 9 + 8,
    },
    {
      behaviour: "an array of arrays",
      bytes: writeGguf({ metadata: [["a", { raw: Buffer.concat([u32(9), u32(9), u64(0n)]) }]] }),
      code: "gguf.metadata",
      field: "a",
      offset: 24 + 9 + 4,
    },
    {
      behaviour: "an unknown value type",
      bytes: writeGguf({ metadata: [["a", { raw: u32(13) }]] }),
      code: "gguf.metadata",
      field: "a",
      offset: 24 + 9,
    },
    {
      behaviour: "a string that is longer than any string",
      bytes: writeGguf({ metadata: [["a", { raw: Buffer.concat([u32(8), u64(1n << 50n)]) }]] }),
      code: "gguf.count",
      field: "a (length)",
      offset: 24 + 9 + 4,
    },
    {
      behaviour: "a string that is not UTF-8",
      bytes: writeGguf({ metadata: [["a", { raw: Buffer.concat([u32(8), u64(1n), Uint8Array.of(0xff)]) }]] }),
      code: "gguf.string",
      field: "a",
      offset: 24 + 9 + 4,
    },
    {
      behaviour: "a boolean that is neither",
      bytes: writeGguf({ metadata: [["a", { bool: 2 }]] }),
      code: "gguf.metadata",
      field: "a",
      offset: 24 + 9 + 4,
    },
    {
      behaviour: "a key that occurs twice",
      bytes: writeGguf({
        metadata: [
          ["a", { u8: 1 }],
          ["a", { u8: 1 }],
        ],
      }),
      code: "gguf.duplicate",
      field: "key 1",
      offset: 24 + 9 + 5,
    },
  ])("refuses $behaviour, naming field and byte", async ({ bytes, code, field, offset }) => {
    const error = await refusalOf(openBytes(bytes));
    expect(error).toMatchObject({ code, details: { field, offset } });
    expect(error.message).toContain(`${field} at byte ${offset}`);
  });

  const tensor = (
    over: Partial<{ name: string; type: number; shape: number[]; data: Uint8Array; offset: number }>,
  ) => ({
    name: "w",
    type: 8,
    shape: [2, 32],
    data: new Uint8Array(68),
    ...over,
  });
  it.each([
    { behaviour: "a quantisation it does not know", tensors: [tensor({ type: 12 })], code: "gguf.type", says: "Q4_K" },
    {
      behaviour: "rows that are no whole blocks",
      tensors: [tensor({ shape: [2, 33] })],
      code: "gguf.shape",
      says: "33",
    },
    { behaviour: "an extent of 0", tensors: [tensor({ shape: [0, 32] })], code: "gguf.shape", says: "dimension 1" },
    { behaviour: "five dimensions", tensors: [tensor({ shape: [1, 1, 1, 1, 32] })], code: "gguf.shape", says: "5" },
    {
      behaviour: "data beyond the file",
      tensors: [tensor({ shape: [3, 32] })],
      code: "gguf.extent",
      says: "ends at byte",
    },
    {
      behaviour: "a shape beyond any file",
      tensors: [tensor({ shape: [2 ** 52, 2 ** 50] })],
      code: "gguf.extent",
      says: "w",
    },
    { behaviour: "data off its alignment", tensors: [tensor({ offset: 8 })], code: "gguf.alignment", says: "8" },
    { behaviour: "two tensors of one name", tensors: [tensor({}), tensor({})], code: "gguf.duplicate", says: "w" },
    {
      behaviour: "tensors that overlap",
      tensors: [tensor({}), tensor({ name: "v", offset: 32 })],
      code: "gguf.extent",
      says: "overlaps",
    },
  ])("refuses $behaviour", async ({ tensors, code, says }) => {
    const error = await refusalOf(openWritten({ tensors }));
    expect(error.code).toBe(code);
    expect(error.message).toContain(says);
    expect(error.details).toMatchObject({ offset: expect.any(Number), field: expect.stringContaining("tensor") });
  });

  it.each([0, 12, 2 ** 21])("refuses an alignment of %i", async (alignment) => {
    const error = await refusalOf(openWritten({ metadata: [["general.alignment", { u32: alignment }]] }));
    expect(error).toMatchObject({ code: "gguf.alignment", details: { alignment } });
  });

  it("says so where there is no file, or a folder", async () => {
    expect((await refusalOf(openGguf(join(folder, "absent.gguf")))).code).toBe("gguf.unreadable");
    expect((await refusalOf(openGguf(folder))).code).toBe("gguf.unreadable");
  });

  it("refuses a file cut anywhere, and nothing else happens to it", async () => {
    const whole = writeGguf(small);
    for (let length = 0; length < whole.length; length += 7) {
      const error = await refusalOf(openBytes(whole.subarray(0, length)));
      expect(error.code, `cut at ${length}`).toMatch(/^gguf\.(truncated|extent)$/);
    }
  });

  it("opens a file with flipped bytes or refuses it, without any other error", async () => {
    const whole = writeGguf(small);
    const flips = fc.array(fc.record({ at: fc.nat(whole.length - 1), to: fc.nat(255) }), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(flips, async (changes) => {
        const bytes = Uint8Array.from(whole);
        for (const { at, to } of changes) bytes[at] = to;
        try {
          await using gguf = await openBytes(bytes);
          for (const name of gguf.tensors.keys()) await gguf.read(name);
        } catch (error) {
          if (!(error instanceof WorkloadError)) throw error;
        }
      }),
      { numRuns: 400 },
    );
  });

  it("reads strings across the edge of its buffer", async () => {
    const long = Array.from({ length: 30 }, (_, i) => String.fromCodePoint(97 + i).repeat(100_003));
    await using gguf = await openWritten({
      metadata: [
        ["a", { texts: long }],
        ["b", { text: "end" }],
      ],
    });
    expect(gguf.metadata.strings("a")).toEqual(long);
    expect(gguf.metadata.string("b")).toBe("end");
    expect(text("end").length).toBe(11);
  });
});
