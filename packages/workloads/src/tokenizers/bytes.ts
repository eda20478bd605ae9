import { SPACE } from "./sentencePiece.ts";
import type { TokenizerSpec } from "./spec.ts";

/**
 * GPT-2's letters for the bytes 0 to 255: printable Latin-1 stands for itself, the other 68 bytes for U+0100 on.
 * @see `bytes_to_unicode` in encoder.py of openai/gpt-2
 */
export const BYTE_LETTERS: readonly string[] = byteLetters();
const BYTE_OF_LETTER = new Map(BYTE_LETTERS.map((letter, byte) => [letter, byte]));

function byteLetters(): string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const isPrintable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCodePoint(isPrintable ? byte : next++);
  });
}

const utf8 = new TextEncoder();

/** Gives the bytes that a token stands for. */
export function tokenBytes(spec: TokenizerSpec): (id: number) => Uint8Array {
  const verbatim = new Set([...spec.control, ...spec.added]);
  const bytes = new Set(spec.bytes);
  return (id) => {
    const text = spec.tokens[id] ?? "";
    if (verbatim.has(id)) return utf8.encode(text);
    if (bytes.has(id)) return Uint8Array.of(Number.parseInt(text.slice(3, 5), 16));
    if (spec.model.kind === "sentencepiece") return utf8.encode(text.replaceAll(SPACE, " "));
    const letters = Array.from(text, (letter) => BYTE_OF_LETTER.get(letter));
    return letters.every((byte) => byte !== undefined) ? Uint8Array.from(letters) : utf8.encode(text);
  };
}
