import { PRE_TOKENIZER_NAMES, type PreTokenizerName } from "../src/tokenizers/preTokenizers.ts";
import { deriveMerges } from "../src/tokenizers/sentencePiece.ts";
import type { TokenizerSpec } from "../src/tokenizers/spec.ts";

const PROSE =
  "the quick brown fox doesn't jump over 1234 lazy dogs, they'll say; there were three hundred other things in the house. " +
  "don't the ones in there know what we're after? I'VE been there, they're not. für Größe naïve café élève garçon 你好 世界 " +
  "for (let i = 0; i < 100; i++) { return the_thing(i, other); } // the rest\n\n  <|im_start|>system\n<|im_end|>\n";

const letterOfByte = (() => {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const isPrintable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCodePoint(isPrintable ? byte : next++);
  });
})();

/** Byte pair encoding learnt from a line of prose: the most frequent pair first, the earliest of equals. */
function learnMerges(words: string[][], count: number): [string, string][] {
  const merges: [string, string][] = [];
  while (merges.length < count) {
    const counts = new Map<string, number>();
    for (const word of words) {
      for (let i = 0; i + 1 < word.length; i++) {
        const key = `${word[i]} ${word[i + 1]}`;
        counts.set(key, (counts.get(key) ?? 0) + 1);
      }
    }
    const [best] = [...counts].toSorted((a, b) => b[1] - a[1]);
    if (!best || best[1] < 2) break;
    const [left, right] = best[0].split(" ") as [string, string];
    merges.push([left, right]);
    for (const word of words) {
      for (let i = 0; i + 1 < word.length; i++)
        if (word[i] === left && word[i + 1] === right) word.splice(i, 2, left + right);
    }
  }
  return merges;
}

/** A byte-level tokenizer with a few hundred tokens. Byte 4 has no token, as in real vocabularies. */
export function smallByteTokenizer(pre: PreTokenizerName = "smollm"): TokenizerSpec {
  const words = PROSE.match(/ ?[^\s]+|\s+/g) ?? [];
  const merges = learnMerges(
    words.map((word) => [...new TextEncoder().encode(word)].map((byte) => letterOfByte[byte] ?? "")),
    150,
  );
  const control = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];
  const added = ["<tool>", "</tool>"];
  const letters = letterOfByte.filter((_, byte) => byte !== 4);
  const tokens = [...new Set([...control, ...letters, ...merges.map(([left, right]) => left + right), ...added])];
  return {
    version: 1,
    model: { kind: "bytes", pre },
    tokens,
    control: [0, 1, 2],
    added: added.map((token) => tokens.indexOf(token)),
    bytes: [],
    merges,
    bos: 1,
    eos: 2,
    unknown: 0,
    addsBos: false,
  };
}

/** A SentencePiece tokenizer with byte fallback: scores fall with the order of the pieces, as in trained ones. */
export function smallSentencePiece({ addsSpacePrefix = true } = {}): TokenizerSpec {
  const text = PROSE.replaceAll(" ", "\u2581");
  const words = (text.match(/\u2581?[^\u2581]+/g) ?? []).map((word) => Array.from(word));
  const letters = [...new Set(words.flat())];
  const learnt = learnMerges(words, 120).map(([left, right]) => left + right);
  const pieces = [...new Set([...learnt, ...letters, "s>", "<s", "x4", "1>"])];
  const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`);
  const tokens = ["<unk>", "<s>", "</s>", ...bytes, ...pieces];
  return {
    version: 1,
    model: { kind: "sentencepiece", addsSpacePrefix },
    tokens,
    control: [0, 1, 2],
    added: [],
    bytes: bytes.map((_, byte) => 3 + byte),
    merges: deriveMerges(pieces.map((piece, i) => ({ text: piece, score: -i }))),
    bos: 1,
    eos: 2,
    unknown: 0,
    addsBos: true,
  };
}

export const smallTokenizers: { name: string; spec: TokenizerSpec }[] = [
  ...PRE_TOKENIZER_NAMES.map((pre) => ({ name: pre, spec: smallByteTokenizer(pre) })),
  { name: "sentencepiece", spec: smallSentencePiece() },
  { name: "sentencepiece without a space prefix", spec: smallSentencePiece({ addsSpacePrefix: false }) },
];

const FRAGMENTS = [
  "",
  " ",
  "  ",
  "\n",
  "\r\n",
  "\t",
  " \n ",
  "the",
  " the",
  "The quick brown fox",
  "don't",
  "DON'T",
  "they'll've",
  "I'm'd",
  "1",
  "12",
  "123",
  "1234",
  "12345678",
  "3.14159",
  "1,000,000",
  "0x1F",
  "½",
  "²",
  "⒖",
  "٣٤",
  "१२",
  "Ⅻ",
  "é",
  "e\u0301",
  "Größe",
  "ǆ",
  "İstanbul",
  "ﬁ",
  "你好",
  "世界你好",
  "こんにちは",
  "안녕",
  "привет мир",
  "שלום",
  "مرحبا",
  "ไทย",
  "😀",
  "👩‍👩‍👧‍👦",
  "🇩🇪",
  "🏳️‍🌈",
  "\u{1F9D1}\u{1F3FD}",
  "\u{10FFFF}",
  "\u{E000}",
  "\ufeff",
  "\u00a0",
  "\u0085",
  "\u2028",
  "\u200b",
  "\u3000",
  "\u2581",
  "\u0000",
  "\u0004",
  "\u001f",
  "\u007f",
  "\u00ad",
  "...",
  "?!",
  "(a)",
  "[x]",
  "{y: 1}",
  "a_b",
  "for (let i = 0; i < 10; i++) {",
  "\treturn x;\n}",
  "http://a.example/?q=1&r=2#z",
  "user@mail.example",
  "<b>bold</b>",
  "<|im_start|>",
  "<|im_end|>",
  "<|endoftext|>",
  "<|im_start",
  "|im_end|>",
  "<|im_start|>system\nx<|im_end|>",
  "<tool>",
  "</tool>",
  "<s>",
  "</s>",
  "<unk>",
  "<0x41>",
  "<s",
  "s>",
  "<<s>>",
  "[INST]",
  "aaaaaaaaaaaaaaaa",
  "        x",
  "x        ",
  "\n\n\n\nx",
  "a\u0300\u0301\u0302",
  "Z͑ͫ̓ͪ",
  "\ud83d\ude00\ud83d\ude01",
  "it''s",
  "'s",
  " 's",
  "’s",
  "—dash—",
  "naïve café",
];

/** 200 lines that tokenizers get wrong: each fragment alone, then with others beside it. */
export const HARD_LINES: string[] = Array.from({ length: 200 }, (_, i) => {
  const at = (k: number) => FRAGMENTS[k % FRAGMENTS.length] ?? "";
  return i < FRAGMENTS.length ? at(i) : `${at(i * 7 + 3)}${at(i * 11 + 5)}${i % 2 ? " " : ""}${at(i * 13 + 1)}`;
});
