import { Tokenizer as Encoder } from "@huggingface/tokenizers";
import { BYTE_LETTERS } from "./bytes.ts";
import { toHuggingFace } from "./huggingFace.ts";
import type { TokenizerSpec } from "./spec.ts";

/** Gives the token ids of text in which no control token is looked for. */
export function createEncoder(spec: TokenizerSpec): (text: string) => number[] {
  const description = toHuggingFace(spec, { control: "left out" });
  const encoder = new Encoder(
    { ...description, pre_tokenizer: withoutMissingBytes(spec, description.pre_tokenizer) },
    {},
  );
  return (text) => encoder.encode(text).ids;
}

/**
 * Drops bytes that no token stands for before pieces are merged, so that their neighbours can merge. The Rust library
 * does it in this order, the JavaScript one would drop them afterwards.
 */
function withoutMissingBytes(spec: TokenizerSpec, preTokenizer: object | null): object | null {
  if (spec.model.kind !== "bytes") return preTokenizer;
  const tokens = new Set(spec.tokens);
  const missing = BYTE_LETTERS.filter((letter) => !tokens.has(letter));
  if (missing.length === 0) return preTokenizer;
  const letters = missing.map((letter) => `\\u{${letter.codePointAt(0)?.toString(16)}}`).join("");
  return {
    type: "Sequence",
    pretokenizers: [preTokenizer, { type: "Replace", pattern: { Regex: `[${letters}]` }, content: "" }],
  };
}
