/**
 * The element types that the reader understands: their number in the file, elements in a block, bytes of a block.
 * Source: `ggml.h` (enum ggml_type) and `ggml-common.h` (block layouts) of ggml-org/ggml.
 */
export const GGUF_TYPES = {
  F32: { code: 0, blockSize: 1, blockBytes: 4 },
  F16: { code: 1, blockSize: 1, blockBytes: 2 },
  Q4_0: { code: 2, blockSize: 32, blockBytes: 18 },
  Q4_1: { code: 3, blockSize: 32, blockBytes: 20 },
  Q8_0: { code: 8, blockSize: 32, blockBytes: 34 },
  BF16: { code: 30, blockSize: 1, blockBytes: 2 },
} as const satisfies Record<string, { code: number; blockSize: number; blockBytes: number }>;

export type GgufType = keyof typeof GGUF_TYPES;

const byCode = new Map<number, GgufType>(
  Object.entries(GGUF_TYPES).map(([name, { code }]) => [code, name as GgufType]),
);

/** The type of a number in the file, or undefined for one that the reader does not understand. */
export const ggufTypeOf = (code: number): GgufType | undefined => byCode.get(code);

/** What people call the types that are refused, so that the refusal says which quantisation the file has. */
const OTHER_TYPES: Record<number, string> = {
  6: "Q5_0",
  7: "Q5_1",
  9: "Q8_1",
  10: "Q2_K",
  11: "Q3_K",
  12: "Q4_K",
  13: "Q5_K",
  14: "Q6_K",
  15: "Q8_K",
  16: "IQ2_XXS",
  17: "IQ2_XS",
  18: "IQ3_XXS",
  19: "IQ1_S",
  20: "IQ4_NL",
  21: "IQ3_S",
  22: "IQ2_S",
  23: "IQ4_XS",
  24: "I8",
  25: "I16",
  26: "I32",
  27: "I64",
  28: "F64",
  29: "IQ1_M",
  34: "TQ1_0",
  35: "TQ2_0",
  39: "MXFP4",
};

/** `type 12 (Q4_K)`, or `type 99 (unknown)`. */
export const describeGgufType = (code: number): string =>
  `type ${code} (${ggufTypeOf(code) ?? OTHER_TYPES[code] ?? "unknown"})`;
