/**
 * How byte-level BPE cuts text before merging, by the name that GGUF files give it (`tokenizer.ggml.pre`). Each pattern
 * cuts the pieces of the one before it. A name that is not here is an error, never a default: another cut gives other
 * tokens without any sign of it.
 * @see the `pre_tokenizer` of the models' published tokenizer.json, and llama-vocab.cpp of ggml-org/llama.cpp
 */
export const PRE_TOKENIZERS = {
  "gpt-2": { patterns: [gpt2()], normalizesNfc: false, takesWholeWords: false },
  smollm: { patterns: ["\\p{N}", gpt2()], normalizesNfc: false, takesWholeWords: false },
  "llama-bpe": { patterns: [gpt4({ digits: 3 })], normalizesNfc: false, takesWholeWords: true },
  qwen2: { patterns: [gpt4({ digits: 1 })], normalizesNfc: true, takesWholeWords: false },
} as const satisfies Record<string, PreTokenizer>;

export type PreTokenizer = {
  patterns: readonly string[];
  normalizesNfc: boolean;
  /** A piece that is a token as it stands is taken without merging (`ignore_merges`). */
  takesWholeWords: boolean;
};

export type PreTokenizerName = keyof typeof PRE_TOKENIZERS;
export const PRE_TOKENIZER_NAMES = Object.keys(PRE_TOKENIZERS) as [PreTokenizerName, ...PreTokenizerName[]];

export const isPreTokenizerName = (name: string): name is PreTokenizerName => Object.hasOwn(PRE_TOKENIZERS, name);

function gpt2(): string {
  return "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
}

function gpt4({ digits }: { digits: 1 | 3 }): string {
  const number = digits === 1 ? "\\p{N}" : "\\p{N}{1,3}";
  return `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${number}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;
}
