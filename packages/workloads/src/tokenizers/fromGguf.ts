import { WorkloadError } from "../errors.ts";
import type { GgufMetadata } from "../importers/gguf/metadata.ts";
import { isPreTokenizerName, PRE_TOKENIZER_NAMES } from "./preTokenizers.ts";
import { deriveMerges } from "./sentencePiece.ts";
import { parseTokenizerSpec, type TokenizerSpec } from "./spec.ts";

/** Values of `tokenizer.ggml.token_type`. Source: `llama.h` of ggml-org/llama.cpp. */
const TYPE = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

/**
 * Some converters wrote such tokens down as text of the user's. Taken at their word, every message could start a turn.
 * @see `does_token_look_special` in convert_hf_to_gguf.py of ggml-org/llama.cpp
 */
const LOOKS_LIKE_CONTROL = /^<[|\uff5c].*[|\uff5c]>$/su;

/**
 * The tokenizer that a GGUF file describes: `gpt2` (byte-level BPE) or `llama` (SentencePiece BPE).
 * Throws `tokenizer.unsupported` for another kind or pre-tokenizer, `tokenizer.invalid` and `gguf.metadata` for a
 * description that does not hold together.
 */
export function tokenizerFromGguf(metadata: GgufMetadata): TokenizerSpec {
  const kind = metadata.string("tokenizer.ggml.model");
  const tokens = metadata.strings("tokenizer.ggml.tokens");
  const types = typesOf(metadata, tokens);
  const idsOf = (...wanted: number[]) => types.flatMap((type, id) => (wanted.includes(type) ? [id] : []));
  const common = {
    version: 1 as const,
    tokens,
    control: idsOf(TYPE.control, TYPE.unknown),
    added: idsOf(TYPE.userDefined),
    bos: optionalId(metadata, "bos"),
    eos: optionalId(metadata, "eos"),
    unknown: optionalId(metadata, "unknown"),
  };
  switch (kind) {
    case "gpt2":
      return parseTokenizerSpec({
        ...common,
        model: { kind: "bytes", pre: preTokenizerOf(metadata) },
        bytes: [],
        merges: mergesOf(metadata),
        addsBos: optionalBoolean(metadata, "tokenizer.ggml.add_bos_token", false),
      });
    case "llama": {
      const scores = metadata.numbers("tokenizer.ggml.scores");
      if (scores.length !== tokens.length) throw lengthMismatch("scores", scores.length, tokens.length);
      const mergeable = new Set(idsOf(TYPE.normal, TYPE.unused));
      return parseTokenizerSpec({
        ...common,
        model: {
          kind: "sentencepiece",
          addsSpacePrefix: optionalBoolean(metadata, "tokenizer.ggml.add_space_prefix", true),
        },
        bytes: idsOf(TYPE.byte),
        merges: deriveMerges(
          tokens.map((text, id) => ({ text, score: scores[id] ?? 0 })).filter((_, id) => mergeable.has(id)),
        ),
        addsBos: optionalBoolean(metadata, "tokenizer.ggml.add_bos_token", true),
      });
    }
    default:
      throw new WorkloadError(
        "tokenizer.unsupported",
        `The tokenizer model ${kind} is not supported, only gpt2 and llama are.`,
        {
          key: "tokenizer.ggml.model",
          got: kind,
          supported: ["gpt2", "llama"],
        },
      );
  }
}

function preTokenizerOf(metadata: GgufMetadata) {
  const pre = metadata.string("tokenizer.ggml.pre");
  if (isPreTokenizerName(pre)) return pre;
  const supported = PRE_TOKENIZER_NAMES.join(", ");
  throw new WorkloadError(
    "tokenizer.unsupported",
    `The pre-tokenizer ${pre} is not supported, only ${supported} are.`,
    {
      key: "tokenizer.ggml.pre",
      got: pre,
      supported: PRE_TOKENIZER_NAMES,
    },
  );
}

function typesOf(metadata: GgufMetadata, tokens: readonly string[]): number[] {
  const types = metadata.numbers("tokenizer.ggml.token_type");
  if (types.length !== tokens.length) throw lengthMismatch("token_type", types.length, tokens.length);
  return types.map((type, id) =>
    type === TYPE.userDefined && LOOKS_LIKE_CONTROL.test(tokens[id] ?? "") ? TYPE.control : type,
  );
}

function mergesOf(metadata: GgufMetadata): [string, string][] {
  return metadata.strings("tokenizer.ggml.merges").map((merge, i) => {
    const [left, right, ...rest] = merge.split(" ");
    if (left && right && rest.length === 0) return [left, right];
    throw new WorkloadError(
      "tokenizer.invalid",
      `tokenizer.ggml.merges[${i}] is no pair of tokens: ${JSON.stringify(merge)}.`,
      {
        path: `merges.${i}`,
        got: merge,
      },
    );
  });
}

/** The id of a named token. A file without one has no key, or the largest u32. */
function optionalId(metadata: GgufMetadata, name: "bos" | "eos" | "unknown"): number | null {
  const key = `tokenizer.ggml.${name}_token_id`;
  if (!metadata.has(key)) return null;
  const id = metadata.integer(key);
  return id === 0xffff_ffff ? null : id;
}

const optionalBoolean = (metadata: GgufMetadata, key: string, otherwise: boolean): boolean =>
  metadata.has(key) ? metadata.boolean(key) : otherwise;

const lengthMismatch = (name: string, got: number, wanted: number): WorkloadError =>
  new WorkloadError("tokenizer.invalid", `tokenizer.ggml.${name} has ${got} entries for ${wanted} tokens.`, {
    path: name,
    got,
    wanted,
  });
