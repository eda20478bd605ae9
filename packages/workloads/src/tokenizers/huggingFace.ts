import { PRE_TOKENIZERS } from "./preTokenizers.ts";
import { SPACE } from "./sentencePiece.ts";
import type { TokenizerSpec } from "./spec.ts";

/** A `tokenizer.json` as the Hugging Face libraries read it. */
export type HuggingFaceTokenizer = {
  version: "1.0";
  added_tokens: {
    id: number;
    content: string;
    special: boolean;
    normalized: false;
    single_word: false;
    lstrip: false;
    rstrip: false;
  }[];
  normalizer: object | null;
  pre_tokenizer: object | null;
  post_processor: null;
  decoder: object;
  model: object;
};

/**
 * The `tokenizer.json` for a tokenizer. Without control tokens no text can become one: they are in neither list, so that
 * not even a word that is spelled like one is found in the vocabulary.
 */
export function toHuggingFace(
  spec: TokenizerSpec,
  { control }: { control: "found" | "left out" },
): HuggingFaceTokenizer {
  const controlIds = new Set(spec.control);
  const isListed = (id: number) => control === "found" || !controlIds.has(id) || id === spec.unknown;
  const found = control === "found" ? [...spec.control, ...spec.added].toSorted((a, b) => a - b) : spec.added;
  const isSentencePiece = spec.model.kind === "sentencepiece";
  return {
    version: "1.0",
    added_tokens: found.map((id) => ({
      id,
      content: spec.tokens[id] ?? "",
      special: controlIds.has(id),
      normalized: false,
      single_word: false,
      lstrip: false,
      rstrip: false,
    })),
    ...piecesOf(spec),
    post_processor: null,
    model: {
      type: "BPE",
      dropout: null,
      // byte-level: a byte that the vocabulary lacks stands for nothing
      unk_token: isSentencePiece && spec.unknown !== null ? spec.tokens[spec.unknown] : null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: isSentencePiece,
      byte_fallback: isSentencePiece,
      ignore_merges: spec.model.kind === "bytes" && PRE_TOKENIZERS[spec.model.pre].takesWholeWords,
      vocab: Object.fromEntries(spec.tokens.flatMap((text, id) => (isListed(id) ? [[text, id]] : []))),
      merges: spec.merges,
    },
  };
}

function piecesOf({ model }: TokenizerSpec): Pick<HuggingFaceTokenizer, "normalizer" | "pre_tokenizer" | "decoder"> {
  if (model.kind === "bytes") {
    const { patterns, normalizesNfc } = PRE_TOKENIZERS[model.pre];
    const splits = patterns.map((Regex) => ({
      type: "Split",
      pattern: { Regex },
      behavior: "Isolated",
      invert: false,
    }));
    const byteLevel = { add_prefix_space: false, trim_offsets: true, use_regex: false };
    return {
      normalizer: normalizesNfc ? { type: "NFC" } : null,
      pre_tokenizer: { type: "Sequence", pretokenizers: [...splits, { type: "ByteLevel", ...byteLevel }] },
      decoder: { type: "ByteLevel", ...byteLevel },
    };
  }
  const spaces = { type: "Replace", pattern: { String: " " }, content: SPACE };
  const prefix = model.addsSpacePrefix ? [{ type: "Prepend", prepend: SPACE }] : [];
  const strip = model.addsSpacePrefix ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : [];
  return {
    normalizer: { type: "Sequence", normalizers: [...prefix, spaces] },
    pre_tokenizer: null,
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: SPACE }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        ...strip,
      ],
    },
  };
}
