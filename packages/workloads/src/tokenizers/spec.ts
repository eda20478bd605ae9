import { z } from "zod";
import { WorkloadError } from "../errors.ts";
import { PRE_TOKENIZER_NAMES } from "./preTokenizers.ts";

const MAX_TOKENS = 1 << 20;
const id = z
  .int()
  .min(0)
  .max(MAX_TOKENS - 1);

/**
 * A tokenizer as data: what a model package holds. Its patterns are named, not spelled out, so that a stranger's package
 * cannot bring a regular expression of its own.
 */
const schema = z.strictObject({
  version: z.literal(1),
  /** Byte-level BPE, or SentencePiece BPE with byte fallback. */
  model: z.discriminatedUnion("kind", [
    z.strictObject({ kind: z.literal("bytes"), pre: z.enum(PRE_TOKENIZER_NAMES) }),
    z.strictObject({ kind: z.literal("sentencepiece"), addsSpacePrefix: z.boolean() }),
  ]),
  /** Token texts in the order of their ids. */
  tokens: z.array(z.string()).min(1).max(MAX_TOKENS),
  /** Tokens that mean something to the model and stand for no text, such as `<|im_start|>`. */
  control: z.array(id),
  /** Tokens that stand for their own text and are found before anything is merged. */
  added: z.array(id),
  /** Sentencepiece only: tokens that stand for one byte, `<0x00>` to `<0xFF>`. */
  bytes: z.array(id),
  /** Pairs of tokens in the order in which they are merged. */
  merges: z.array(z.tuple([z.string(), z.string()])).max(4 * MAX_TOKENS),
  bos: id.nullable(),
  eos: id.nullable(),
  unknown: id.nullable(),
  /** Whether the model was trained with `bos` in front of every text. A chat template brings its own. */
  addsBos: z.boolean(),
});

export type TokenizerSpec = z.infer<typeof schema>;

/** Checks data from a file. Throws `tokenizer.invalid` with the place that is wrong. */
export function parseTokenizerSpec(data: unknown): TokenizerSpec {
  const parsed = schema.safeParse(data);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const path = issue?.path.join(".") ?? "";
    throw new WorkloadError(
      "tokenizer.invalid",
      `The tokenizer is malformed at ${path || "its top"}: ${issue?.message}.`,
      {
        path,
        issue: issue?.message,
      },
    );
  }
  checkReferences(parsed.data);
  return parsed.data;
}

/** Everything that names a token names one that exists. Throws `tokenizer.invalid`. */
function checkReferences(spec: TokenizerSpec): void {
  const { tokens } = spec;
  const known = new Set(tokens);
  if (known.size !== tokens.length) {
    const seen = new Set<string>();
    const twice = tokens.findIndex((token) => seen.size === seen.add(token).size);
    throw invalid("tokens", twice, `the token ${JSON.stringify(tokens[twice])} occurs twice`);
  }
  for (const list of ["control", "added", "bytes"] as const) {
    for (const [i, id] of spec[list].entries()) {
      if (id >= tokens.length) throw invalid(list, i, `there is no token ${id}`);
      if (tokens[id] === "") throw invalid(list, i, `token ${id} has no text`);
    }
  }
  for (const name of ["bos", "eos", "unknown"] as const) {
    const id = spec[name];
    if (id !== null && id >= tokens.length) throw invalid(name, undefined, `there is no token ${id}`);
  }
  for (const [i, id] of spec.bytes.entries()) {
    if (!/^<0x[0-9A-F]{2}>$/.test(tokens[id] ?? "")) throw invalid("bytes", i, `${tokens[id]} is no byte`);
  }
  for (const [i, [left, right]] of spec.merges.entries()) {
    const missing = [left, right, left + right].find((token) => !known.has(token));
    if (missing !== undefined) throw invalid("merges", i, `${JSON.stringify(missing)} is no token`);
  }
}

function invalid(list: string, index: number | undefined, what: string): WorkloadError {
  const path = index === undefined ? list : `${list}.${index}`;
  return new WorkloadError("tokenizer.invalid", `The tokenizer is malformed at ${path}: ${what}.`, {
    path,
    issue: what,
  });
}
