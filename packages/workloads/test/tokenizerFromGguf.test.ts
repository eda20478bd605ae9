import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openGguf } from "../src/importers/gguf/file.ts";
import { tokenizerFromGguf } from "../src/tokenizers/fromGguf.ts";
import { deriveMerges } from "../src/tokenizers/sentencePiece.ts";
import type { TokenizerSpec } from "../src/tokenizers/spec.ts";
import { openTokenizer } from "../src/tokenizers/tokenizer.ts";
import { type WrittenValue, writeGguf } from "./ggufWriter.ts";
import { smallByteTokenizer } from "./smallTokenizers.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "foldmark-tokenizer-"));
});
afterAll(() => rm(folder, { recursive: true }));

type Written = Record<string, WrittenValue | undefined>;

/** Reads the tokenizer back from a file with these keys; one that is undefined is left out. */
async function read(keys: Written): Promise<TokenizerSpec> {
  const path = join(folder, "tokenizer.gguf");
  const metadata = Object.entries(keys).flatMap(([key, value]): [string, WrittenValue][] =>
    value ? [[`tokenizer.ggml.${key}`, value]] : [],
  );
  await writeFile(path, writeGguf({ metadata }));
  await using gguf = await openGguf(path);
  return tokenizerFromGguf(gguf.metadata);
}

const bytes = smallByteTokenizer();
const byteKeys: Written = {
  model: { text: "gpt2" },
  pre: { text: "smollm" },
  tokens: { texts: bytes.tokens },
  token_type: {
    i32s: bytes.tokens.map((_, id) => (bytes.control.includes(id) ? 3 : bytes.added.includes(id) ? 4 : 1)),
  },
  merges: { texts: bytes.merges.map((pair) => pair.join(" ")) },
  bos_token_id: { u32: 1 },
  eos_token_id: { u32: 2 },
  unknown_token_id: { u32: 0 },
  add_bos_token: { bool: 0 },
};

// <unk> <s> </s> <0x41> then pieces with falling scores
const PIECES = ["\u2581", "a", "b", "ab", "\u2581ab", "s", ">", "<", "<s"];
const pieceKeys: Written = {
  model: { text: "llama" },
  tokens: { texts: ["<unk>", "<s>", "</s>", "<0x41>", ...PIECES] },
  token_type: { i32s: [2, 3, 3, 6, ...PIECES.map(() => 1)] },
  scores: { f32s: [0, 0, 0, 0, ...PIECES.map((_, i) => -i)] },
  bos_token_id: { u32: 1 },
  eos_token_id: { u32: 2 },
  unknown_token_id: { u32: 0 },
};

describe("tokenizerFromGguf", () => {
  it("reads a byte-level tokenizer", async () => {
    expect(await read(byteKeys)).toEqual(bytes);
  });

  it("reads a SentencePiece tokenizer, whose merges it derives without control and byte tokens", async () => {
    const spec = await read(pieceKeys);
    expect(spec).toMatchObject({
      model: { kind: "sentencepiece", addsSpacePrefix: true },
      control: [0, 1, 2],
      bytes: [3],
      bos: 1,
      eos: 2,
      unknown: 0,
      addsBos: true,
    });
    expect(spec.merges).toEqual([
      ["a", "b"],
      ["\u2581", "ab"],
      ["<", "s"],
    ]);
    const tokenizer = openTokenizer(spec);
    expect(tokenizer.encode("ab").map(tokenizer.tokenOf)).toEqual(["\u2581ab"]);
    expect(tokenizer.encode("A").map(tokenizer.tokenOf)).toEqual(["\u2581", "<0x41>"]);
    expect(tokenizer.encode("<s>").map(tokenizer.tokenOf)).toEqual(["\u2581", "<s", ">"]);
    expect(tokenizer.decode(tokenizer.encode("ab A"))).toBe("ab A");
  });

  it("takes tokens that look like control tokens for such, whatever the file calls them", async () => {
    const spec = await read({
      ...byteKeys,
      token_type: { i32s: bytes.tokens.map((_, id) => (id < 3 || bytes.added.includes(id) ? 4 : 1)) },
    });
    expect(spec).toEqual(bytes);
  });

  it("reads what a file leaves out or turns off", async () => {
    const { bos, eos, unknown, addsBos } = await read({
      ...byteKeys,
      bos_token_id: undefined,
      add_bos_token: undefined,
      eos_token_id: { u32: 0xffff_ffff },
    });
    expect({ bos, eos, unknown, addsBos }).toEqual({ bos: null, eos: null, unknown: 0, addsBos: false });
    expect((await read({ ...pieceKeys, add_space_prefix: { bool: 0 } })).model).toMatchObject({
      addsSpacePrefix: false,
    });
  });

  it.each<{ behaviour: string; keys: Written; code: string; says: RegExp }>([
    {
      behaviour: "another kind of tokenizer",
      keys: { ...byteKeys, model: { text: "bert" } },
      code: "tokenizer.unsupported",
      says: /bert.*gpt2 and llama/,
    },
    {
      behaviour: "an unknown pre-tokenizer",
      keys: { ...byteKeys, pre: { text: "default" } },
      code: "tokenizer.unsupported",
      says: /default.*smollm/,
    },
    {
      behaviour: "a missing pre-tokenizer",
      keys: { ...byteKeys, pre: undefined },
      code: "gguf.metadata",
      says: /tokenizer\.ggml\.pre is missing/,
    },
    {
      behaviour: "types for another number of tokens",
      keys: { ...byteKeys, token_type: { i32s: [1, 2] } },
      code: "tokenizer.invalid",
      says: /token_type has 2 entries/,
    },
    {
      behaviour: "scores for another number of tokens",
      keys: { ...pieceKeys, scores: { f32s: [1] } },
      code: "tokenizer.invalid",
      says: /scores has 1 entries/,
    },
    {
      behaviour: "a merge that is no pair",
      keys: { ...byteKeys, merges: { texts: ["a b c"] } },
      code: "tokenizer.invalid",
      says: /merges\[0\].*a b c/,
    },
    {
      behaviour: "a merge of what is no token",
      keys: { ...byteKeys, merges: { texts: ["q q"] } },
      code: "tokenizer.invalid",
      says: /merges\.0.*qq/,
    },
    {
      behaviour: "an end token that does not exist",
      keys: { ...byteKeys, eos_token_id: { u32: 99_999 } },
      code: "tokenizer.invalid",
      says: /eos/,
    },
  ])("refuses $behaviour", async ({ keys, code, says }) => {
    const error = await read(keys).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: "WorkloadError", code });
    expect((error as Error).message).toMatch(says);
  });
});

describe("deriveMerges", () => {
  it("prefers the better score, then the longer left part, counted in code points", () => {
    const piece = (text: string, score: number) => ({ text, score });
    const pieces = [
      piece("a", 0),
      piece("b", 0),
      piece("ab", -2),
      piece("ba", -1),
      piece("aba", -3),
      piece("😀", 0),
      piece("😀a", -4),
    ];
    expect(deriveMerges(pieces)).toEqual([
      ["b", "a"],
      ["a", "b"],
      ["ab", "a"],
      ["a", "ba"],
      ["😀", "a"],
    ]);
  });
});
