import { z } from "zod";
import { WorkloadError } from "../errors.ts";

const count = (largest: number) => z.int().min(1).max(largest);
/** A right shift with rounding; below 0 it is a left shift. */
const shift = z.int().min(-32).max(62);

/** What differs from layer to layer: where the binary points lie. */
const layerSchema = z.strictObject({
  attentionNorm: shift,
  query: shift,
  key: shift,
  value: shift,
  /** From the product of a query and a key to a base-2 score in Q16. */
  score: shift,
  attentionOut: shift,
  ffnNorm: shift,
  gate: shift,
  up: shift,
  /** Fraction bits of the gate; the sigmoid's table has 16 entries a unit, so at least 4. */
  gateBits: z.int().min(4).max(12),
  hidden: shift,
  down: shift,
});

const schema = z
  .strictObject({
    maxT: count(1 << 20),
    vocabulary: count(1 << 24),
    width: count(1 << 16),
    ffn: count(1 << 18),
    heads: count(1 << 10),
    kvHeads: count(1 << 10),
    headSize: count(1 << 10),
    isTied: z.boolean(),
    /** Tokens that end an answer. */
    stopIds: z.array(z.int().min(0)).max(8),
    /** width * epsilon in the squared unit of the residual stream. */
    epsilon: z
      .int()
      .min(0)
      .max(2 ** 48),
    /** The residual stream is clamped to +-(2^residualBits - 1). */
    residualBits: z.int().min(16).max(30),
    embedding: shift,
    layers: z.array(layerSchema).min(1).max(400),
    headNorm: shift,
    head: shift,
  })
  .refine((c) => c.heads % c.kvHeads === 0, { path: ["kvHeads"], message: "must divide heads" })
  .refine((c) => (c.headSize & (c.headSize - 1)) === 0 && c.headSize >= 2, {
    path: ["headSize"],
    message: "must be a power of two, at least 2",
  })
  .refine((c) => c.stopIds.every((id) => id < c.vocabulary), {
    path: ["stopIds"],
    message: "must lie in the vocabulary",
  })
  .refine((c) => new Set(c.stopIds).size === c.stopIds.length, { path: ["stopIds"], message: "must differ" });

/**
 * Everything that the integer program of a Llama depends on besides its constants: sizes, shifts, clamps, stop tokens.
 * Plain JSON; the same configuration gives the same program on every machine.
 */
export type LlamaConfiguration = z.infer<typeof schema>;
export type LlamaLayerConfiguration = z.infer<typeof layerSchema>;

/** @throws `llama.configuration_invalid` with the paths that are wrong */
export function parseLlamaConfiguration(value: unknown): LlamaConfiguration {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues.map(({ path, message }) => `${path.join(".") || "configuration"}: ${message}`);
  throw new WorkloadError(
    "llama.configuration_invalid",
    `The Llama configuration is not valid: ${issues.join("; ")}.`,
    {
      issues,
    },
  );
}
