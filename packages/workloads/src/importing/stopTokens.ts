import type { GgufMetadata } from "../importers/gguf/metadata.ts";
import type { TokenizerSpec } from "../tokenizers/spec.ts";

/** Control tokens that end a turn or a text in the models we know, by their spelling. */
const END_SPELLINGS = ["<|im_end|>", "<|eot_id|>", "<|end_of_text|>", "<|endoftext|>", "<|end|>", "</s>"];
const MOST = 8;

/**
 * Tokens that end an answer: those that the file names as ends, then control tokens that are spelled like one. A model
 * that was tuned for chat ends a turn by one of them and a text by another.
 */
export function stopTokens(metadata: GgufMetadata, tokenizer: TokenizerSpec): number[] {
  const named = ["tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"]
    .filter((key) => metadata.has(key))
    .map((key) => metadata.integer(key));
  const spelled = tokenizer.control.filter((id) => END_SPELLINGS.includes(tokenizer.tokens[id] ?? ""));
  return [...new Set([...named, ...spelled])].slice(0, MOST);
}
