import fc from "fast-check";
import { Tokenizer as Oracle } from "tokenizers";
import { describe, expect, it } from "vitest";
import { toHuggingFace } from "../src/tokenizers/huggingFace.ts";
import type { PreTokenizerName } from "../src/tokenizers/preTokenizers.ts";
import { openTokenizer } from "../src/tokenizers/tokenizer.ts";
import { HARD_LINES, smallByteTokenizer, smallSentencePiece, smallTokenizers } from "./smallTokenizers.ts";

/** Any text without lone surrogates, which Rust's strings cannot hold. */
const letter = fc.oneof(
  { arbitrary: fc.string({ unit: "binary", maxLength: 1 }), weight: 3 },
  fc.constantFrom("the", "\u0004", " ", "1"),
);
const line = fc.array(letter, { maxLength: 40 }).map((letters) => letters.join(""));

describe.each(smallTokenizers)("a tokenizer of kind $name", ({ spec }) => {
  const tokenizer = openTokenizer(spec);
  const finding = Oracle.fromString(JSON.stringify(toHuggingFace(spec, { control: "found" })));
  const leavingOut = Oracle.fromString(JSON.stringify(toHuggingFace(spec, { control: "left out" })));
  const oracleIds = async (oracle: Oracle, text: string) =>
    (await oracle.encode(text, null, { addSpecialTokens: false })).getIds();

  it("encodes and decodes hard lines as the Rust library does, with and without control tokens", async () => {
    for (const text of HARD_LINES) {
      const ids = tokenizer.encode(text, { special: true });
      expect(ids, JSON.stringify(text)).toEqual(await oracleIds(finding, text));
      expect(tokenizer.decode(ids, { special: true }), JSON.stringify(text)).toBe(await finding.decode(ids, false));
      expect(tokenizer.encode(text), JSON.stringify(text)).toEqual(await oracleIds(leavingOut, text));
    }
  });

  it("encodes random text as the Rust library does", async () => {
    await fc.assert(
      fc.asyncProperty(line, async (text) => {
        const ids = tokenizer.encode(text, { special: true });
        expect(ids).toEqual(await oracleIds(finding, text));
        expect(tokenizer.decode(ids, { special: true })).toBe(await finding.decode(ids, false));
      }),
      { numRuns: 500, seed: 20 },
    );
  });

  it("never finds a control token in plain text", () => {
    const spelled = fc.constantFrom(...[...tokenizer.control].map((id) => tokenizer.tokenOf(id)));
    const text = fc.array(fc.oneof(spelled, line), { maxLength: 6 }).map((parts) => parts.join(""));
    const unknown = tokenizer.unknown ?? -1;
    fc.assert(
      fc.property(text, (hostile) => {
        const found = tokenizer.encode(hostile).filter((id) => tokenizer.control.has(id) && id !== unknown);
        expect(found).toEqual([]);
      }),
    );
  });

  it("streams any ids to the text that decoding them at once gives", () => {
    const ids = fc.array(fc.nat(tokenizer.vocabulary - 1), { maxLength: 30 });
    fc.assert(
      fc.property(ids, fc.boolean(), (idList, special) => {
        const stream = tokenizer.stream({ special });
        const parts = idList.map((id) => stream.push(id));
        const text = parts.join("") + stream.end();
        expect(text).toBe(tokenizer.decode(idList, { special }));
        expect(text.isWellFormed()).toBe(true);
        for (const part of parts) expect(part.isWellFormed()).toBe(true);
      }),
    );
  });
});

describe("pre-tokenizers", () => {
  const cut = (pre: PreTokenizerName, text: string) => {
    const spec = smallByteTokenizer(pre);
    const joined = ["12", "123", "1234", "'T", "..", "..\n", "T.", "é"].map((token) =>
      token.replace("\n", "\u010a").replace("é", "Ã©"),
    );
    const merges = joined.map((token): [string, string] => [token.slice(0, -1), token.slice(-1)]);
    const tokenizer = openTokenizer({ ...spec, tokens: [...new Set([...spec.tokens, ...joined])], merges });
    return tokenizer.encode(text).map((id) => tokenizer.decode([id]));
  };

  it.each<{ pre: PreTokenizerName; text: string; pieces: string[]; behaviour: string }>([
    { pre: "gpt-2", text: "1234", pieces: ["1234"], behaviour: "digits together" },
    { pre: "smollm", text: "1234", pieces: ["1", "2", "3", "4"], behaviour: "each digit alone" },
    { pre: "llama-bpe", text: "1234", pieces: ["123", "4"], behaviour: "digits by three" },
    { pre: "qwen2", text: "1234", pieces: ["1", "2", "3", "4"], behaviour: "each digit alone" },
    { pre: "gpt-2", text: "N'T", pieces: ["N", "'", "T"], behaviour: "contractions in lower case only" },
    { pre: "smollm", text: "N'T", pieces: ["N", "'", "T"], behaviour: "contractions in lower case only" },
    { pre: "llama-bpe", text: "N'T", pieces: ["N", "'T"], behaviour: "contractions in any case" },
    { pre: "qwen2", text: "N'T", pieces: ["N", "'T"], behaviour: "contractions in any case" },
    { pre: "gpt-2", text: "..\n", pieces: ["..", "\n"], behaviour: "line ends apart from punctuation" },
    { pre: "smollm", text: "..\n", pieces: ["..", "\n"], behaviour: "line ends apart from punctuation" },
    { pre: "llama-bpe", text: "..\n", pieces: ["..\n"], behaviour: "line ends with punctuation" },
    { pre: "qwen2", text: "..\n", pieces: ["..\n"], behaviour: "line ends with punctuation" },
    { pre: "gpt-2", text: "T.", pieces: ["T", "."], behaviour: "punctuation apart from words" },
    { pre: "qwen2", text: "e\u0301", pieces: ["é"], behaviour: "composed letters" },
  ])("$pre takes $behaviour: $text", ({ pre, text, pieces }) => {
    expect(cut(pre, text)).toEqual(pieces);
  });
});

describe("openTokenizer", () => {
  const tokenizer = openTokenizer(smallByteTokenizer());

  it("gives back the text that it was given, but for bytes without a token", () => {
    fc.assert(
      fc.property(line, (text) => {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text.replaceAll("\u0004", ""));
      }),
    );
  });

  it("holds back half a character until the other half comes", () => {
    const stream = tokenizer.stream();
    const ids = [...new TextEncoder().encode("é😀")].map((byte) => {
      const id = Array.from({ length: tokenizer.vocabulary }, (_, i) => i).find((i) => {
        const bytes = tokenizer.bytesOf(i);
        return bytes.length === 1 && bytes[0] === byte;
      });
      return id ?? -1;
    });
    expect(ids.map((id) => stream.push(id))).toEqual(["", "é", "", "", "", "😀"]);
    expect(stream.end()).toBe("");
    stream.push(ids[0] ?? -1);
    expect(stream.end()).toBe("\ufffd");
  });

  it("leaves control tokens out of an answer, unless asked for them", () => {
    const ids = tokenizer.encode("<|im_start|>hi<|im_end|>", { special: true });
    expect(ids[0]).toBe(1);
    expect(tokenizer.decode(ids)).toBe("hi");
    expect(tokenizer.decode(ids, { special: true })).toBe("<|im_start|>hi<|im_end|>");
    expect(tokenizer.decode([])).toBe("");
  });

  it("encodes lone surrogates as the replacement character", () => {
    expect(tokenizer.encode("a\ud800b")).toEqual(tokenizer.encode("a\ufffdb"));
  });

  it("names tokens", () => {
    expect(tokenizer.idOf("<|im_end|>")).toBe(2);
    expect(tokenizer.idOf("no such token")).toBeUndefined();
    expect(tokenizer.tokenOf(1)).toBe("<|im_start|>");
    for (const id of [-1, 0.5, tokenizer.vocabulary]) {
      for (const use of [() => tokenizer.decode([id]), () => tokenizer.tokenOf(id), () => tokenizer.bytesOf(id)]) {
        expect(use).toThrow(
          expect.objectContaining({ code: "tokenizer.unknown_id", details: { id, vocabulary: tokenizer.vocabulary } }),
        );
      }
    }
  });

  it("strips one space from the start of a SentencePiece answer", () => {
    const pieces = openTokenizer(smallSentencePiece());
    expect(pieces.decode(pieces.encode("  the house"))).toBe("  the house");
    expect(pieces.encode("<0x41>").every((id) => id !== 3 + 0x41)).toBe(true);
  });

  it.each([
    { behaviour: "an unknown key", change: { extra: 1 }, path: "" },
    { behaviour: "an unknown pre-tokenizer", change: { model: { kind: "bytes", pre: "default" } }, path: "model.pre" },
    {
      behaviour: "a pattern of its own",
      change: { model: { kind: "bytes", pre: "smollm", pattern: "(a+)+$" } },
      path: "model",
    },
    { behaviour: "a token that occurs twice", change: { tokens: ["a", "b", "a"] }, path: "tokens.2" },
    { behaviour: "a control token that does not exist", change: { control: [100_000] }, path: "control.0" },
    { behaviour: "a merge of what is no token", change: { merges: [["q", "q"]] }, path: "merges.0" },
    { behaviour: "an end token that does not exist", change: { eos: 99_999 }, path: "eos" },
    { behaviour: "a byte that is none", change: { bytes: [1] }, path: "bytes.0" },
  ])("refuses $behaviour", ({ change, path }) => {
    expect(() => openTokenizer({ ...smallByteTokenizer(), ...change })).toThrow(
      expect.objectContaining({ code: "tokenizer.invalid", details: expect.objectContaining({ path }) }),
    );
  });
});
