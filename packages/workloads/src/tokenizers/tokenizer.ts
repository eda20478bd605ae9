import { WorkloadError } from "../errors.ts";
import { tokenBytes } from "./bytes.ts";
import { createEncoder } from "./encoder.ts";
import { parseTokenizerSpec } from "./spec.ts";
import { createSplitter, type Section } from "./splitter.ts";

/** Whether control tokens such as `<|im_start|>` are found in text, or shown in it. By default they are not. */
export type ControlOptions = { special?: boolean };

/** Turns token ids into text as they come, never half a character. */
export type TextStream = {
  /** The text that this token completes; often all of it, sometimes none. */
  push(id: number): string;
  /** What is left of an unfinished character: the replacement character, or nothing. */
  end(): string;
};

export type Tokenizer = {
  /** Number of token ids. */
  readonly vocabulary: number;
  readonly bos: number | null;
  readonly eos: number | null;
  readonly unknown: number | null;
  /** Whether raw text (no chat) has to start with `bos`; `encode` never adds it. */
  readonly addsBos: boolean;
  /** Tokens that stand for no text. */
  readonly control: ReadonlySet<number>;
  /** Token ids of a text. Unless `special` is true, text that is spelled like a control token stays text. */
  encode(text: string, options?: ControlOptions): number[];
  /** Cuts text at its control tokens, leftmost first and the longest at one place. */
  split(text: string): Section[];
  /** The text of token ids. Control tokens are left out unless `special` is true. Throws `tokenizer.unknown_id`. */
  decode(ids: readonly number[], options?: ControlOptions): string;
  /** The same text as `decode`, token by token. */
  stream(options?: ControlOptions): TextStream;
  idOf(token: string): number | undefined;
  /** The spelling of a token in the vocabulary. Throws `tokenizer.unknown_id`. */
  tokenOf(id: number): string;
  /** The bytes that a token stands for in an answer. Throws `tokenizer.unknown_id`. */
  bytesOf(id: number): Uint8Array;
};

const SPACE_BYTE = 0x20;

/**
 * Opens a tokenizer: 0.2 s for 49,000 tokens, and encoding takes as long as the text is. Cap the text before, and do it
 * off the thread that moves messages. Throws `tokenizer.invalid`.
 */
export function openTokenizer(data: unknown): Tokenizer {
  const spec = parseTokenizerSpec(data);
  const encodePlain = createEncoder(spec);
  const split = createSplitter(spec.control.map((id) => ({ id, text: spec.tokens[id] ?? "" })));
  const ids = new Map(spec.tokens.map((token, id) => [token, id]));
  const control = new Set(spec.control);
  const bytesOf = tokenBytes(spec);
  const stripsFirstSpace = spec.model.kind === "sentencepiece" && spec.model.addsSpacePrefix;

  const known = (id: number): number => {
    if (Number.isInteger(id) && id >= 0 && id < spec.tokens.length) return id;
    throw new WorkloadError(
      "tokenizer.unknown_id",
      `There is no token ${id}, the vocabulary has ${spec.tokens.length}.`,
      {
        id,
        vocabulary: spec.tokens.length,
      },
    );
  };

  const stream = ({ special = false }: ControlOptions = {}): TextStream => {
    const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
    let isFirst = true;
    return {
      push(id) {
        if (!special && control.has(known(id))) return "";
        let bytes = bytesOf(known(id));
        if (isFirst && stripsFirstSpace && bytes[0] === SPACE_BYTE) bytes = bytes.subarray(1);
        isFirst = false;
        return utf8.decode(bytes, { stream: true });
      },
      end: () => utf8.decode(),
    };
  };

  return {
    vocabulary: spec.tokens.length,
    bos: spec.bos,
    eos: spec.eos,
    unknown: spec.unknown,
    addsBos: spec.addsBos,
    control,
    encode(text, { special = false } = {}) {
      const wellFormed = text.toWellFormed();
      const sections = special ? split(wellFormed) : [{ text: wellFormed }];
      return sections.flatMap((section) => ("id" in section ? [section.id] : encodePlain(section.text)));
    },
    split,
    decode(idList, options) {
      const text = stream(options);
      return idList.map((id) => text.push(id)).join("") + text.end();
    },
    stream,
    idOf: (token) => ids.get(token),
    tokenOf: (id) => spec.tokens[known(id)] ?? "",
    bytesOf: (id) => bytesOf(known(id)),
  };
}
