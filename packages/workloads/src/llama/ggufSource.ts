import { WorkloadError } from "../errors.ts";
import { dequantise } from "../importers/dequantise.ts";
import type { GgufFile } from "../importers/gguf/file.ts";
import type { LayerTensor, LlamaShape, LlamaSource, LlamaTensor } from "./source.ts";

/**
 * A GGUF file of architecture `llama` (Llama, SmolLM, Mistral and others that share it) as a source of float32 weights.
 * @throws `gguf.*` for what is missing, `llama.architecture_unsupported`, `llama.tensor_shape` with the tensor's name
 */
export function ggufLlama(file: GgufFile): LlamaSource {
  const shape = shapeOf(file);
  checkTensors(file, shape);
  return {
    shape,
    async read(tensor) {
      const name = nameOf(tensor);
      return dequantise(file.tensor(name).type, await file.read(name));
    },
  };
}

function shapeOf(file: GgufFile): LlamaShape {
  const { metadata } = file;
  const refuse = (key: string, what: string, details: Record<string, unknown> = {}): never => {
    const offset = metadata.offsetOf(key);
    const message = `${file.path}: ${key} at byte ${offset}: ${what}.`;
    throw new WorkloadError("llama.architecture_unsupported", message, { file: file.path, key, offset, ...details });
  };
  const architecture = metadata.string("general.architecture");
  if (architecture !== "llama")
    refuse("general.architecture", `the architecture is ${architecture}, only llama is converted`, { architecture });
  if (metadata.has("llama.rope.scaling.type") && metadata.string("llama.rope.scaling.type") !== "none") {
    refuse("llama.rope.scaling.type", "scaled rotary embeddings are not converted");
  }
  if (metadata.has("llama.expert_count") && metadata.integer("llama.expert_count") > 0) {
    refuse("llama.expert_count", "mixtures of experts are not converted");
  }
  const width = metadata.integer("llama.embedding_length", 1);
  const heads = metadata.integer("llama.attention.head_count", 1);
  const headSize = metadata.has("llama.attention.key_length")
    ? metadata.integer("llama.attention.key_length", 1)
    : width / heads;
  if (!Number.isInteger(headSize))
    refuse("llama.attention.head_count", `${heads} heads do not divide a width of ${width}`, { width, heads });
  const vocabulary = file.tensor("token_embd.weight").shape[0] as number;
  return {
    layers: metadata.integer("llama.block_count", 1),
    width,
    ffn: metadata.integer("llama.feed_forward_length", 1),
    heads,
    kvHeads: metadata.has("llama.attention.head_count_kv")
      ? metadata.integer("llama.attention.head_count_kv", 1)
      : heads,
    headSize,
    vocabulary,
    context: metadata.integer("llama.context_length", 1),
    rotated: metadata.has("llama.rope.dimension_count") ? metadata.integer("llama.rope.dimension_count", 2) : headSize,
    ropeBase: metadata.has("llama.rope.freq_base") ? metadata.number("llama.rope.freq_base") : 10_000,
    epsilon: metadata.number("llama.attention.layer_norm_rms_epsilon"),
    isTied: !file.tensors.has("output.weight"),
    hasRopeFactors: file.tensors.has("rope_freqs.weight"),
  };
}

const LAYER_NAMES: Record<LayerTensor, string> = {
  attentionNorm: "attn_norm",
  query: "attn_q",
  key: "attn_k",
  value: "attn_v",
  attentionOut: "attn_output",
  ffnNorm: "ffn_norm",
  gate: "ffn_gate",
  up: "ffn_up",
  down: "ffn_down",
};

const NAMES = { embedding: "token_embd", headNorm: "output_norm", head: "output", ropeFactors: "rope_freqs" };

function nameOf(tensor: LlamaTensor): string {
  if (typeof tensor === "object") return `blk.${tensor.layer}.${LAYER_NAMES[tensor.name]}.weight`;
  return `${NAMES[tensor]}.weight`;
}

/** Every tensor is there with the shape that the sizes say, and none is left over that the arithmetic would ignore. */
function checkTensors(file: GgufFile, shape: LlamaShape): void {
  const { width, ffn, vocabulary, headSize } = shape;
  const queries = shape.heads * headSize;
  const keys = shape.kvHeads * headSize;
  const layerShapes: Record<LayerTensor, number[]> = {
    attentionNorm: [width],
    query: [queries, width],
    key: [keys, width],
    value: [keys, width],
    attentionOut: [width, queries],
    ffnNorm: [width],
    gate: [ffn, width],
    up: [ffn, width],
    down: [width, ffn],
  };
  const expected = new Map<string, number[]>([
    [nameOf("embedding"), [vocabulary, width]],
    [nameOf("headNorm"), [width]],
  ]);
  if (!shape.isTied) expected.set(nameOf("head"), [vocabulary, width]);
  if (shape.hasRopeFactors) expected.set(nameOf("ropeFactors"), [shape.rotated / 2]);
  for (let layer = 0; layer < shape.layers; layer++) {
    for (const [name, dimensions] of Object.entries(layerShapes)) {
      expected.set(nameOf({ layer, name: name as LayerTensor }), dimensions);
    }
  }
  for (const [name, dimensions] of expected) {
    const found = file.tensor(name).shape;
    if (found.join() === dimensions.join()) continue;
    throw new WorkloadError(
      "llama.tensor_shape",
      `${file.path}: ${name} is [${found}], the sizes say [${dimensions}].`,
      {
        file: file.path,
        name,
        found,
        expected: dimensions,
      },
    );
  }
  for (const name of file.tensors.keys()) {
    if (expected.has(name)) continue;
    throw new WorkloadError(
      "llama.architecture_unsupported",
      `${file.path}: the tensor ${name} is none of a Llama's.`,
      {
        file: file.path,
        name,
      },
    );
  }
}
