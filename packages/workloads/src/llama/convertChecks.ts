import { WorkloadError } from "../errors.ts";
import type { LlamaMaxima } from "./maxima.ts";
import { floorLog2, powerOfTwo } from "./quantise.ts";
import type { LlamaShape } from "./source.ts";

/** @throws `llama.shape_unsupported` for sizes that the arithmetic has no form for */
export function checkShape(shape: LlamaShape, maxT: number): void {
  const refuse = (what: string, details: Record<string, unknown>) => {
    throw new WorkloadError("llama.shape_unsupported", `This Llama cannot be converted: ${what}.`, details);
  };
  const { heads, kvHeads, headSize, rotated, context } = shape;
  if (heads % kvHeads !== 0) refuse(`${heads} heads cannot share ${kvHeads} key heads`, { heads, kvHeads });
  if (headSize < 2 || !Number.isInteger(headSize / 2) || powerOfTwo(floorLog2(headSize)) !== headSize) {
    refuse(`the head size ${headSize} is not a power of two`, { headSize });
  }
  if (rotated > headSize || rotated % 2 !== 0)
    refuse(`${rotated} of ${headSize} channels cannot rotate`, { rotated, headSize });
  if (maxT > context) refuse(`it was trained for ${context} positions, not ${maxT}`, { maxT, context });
}

/** @throws `llama.maxima_mismatch` */
export function checkMaxima(shape: LlamaShape, maxima: LlamaMaxima): void {
  const queries = shape.heads * shape.headSize;
  const keys = shape.kvHeads * shape.headSize;
  const refuse = (where: string) => {
    throw new WorkloadError("llama.maxima_mismatch", `The calibration maxima do not fit this model: ${where}.`, {
      where,
    });
  };
  if (maxima.layers.length !== shape.layers) refuse(`${maxima.layers.length} layers, not ${shape.layers}`);
  const check = (where: string, values: Float32Array, channels: number) => {
    if (values.length !== channels) refuse(`${where} has ${values.length} channels, not ${channels}`);
    if (!values.every((value) => value >= 0 && Number.isFinite(value)))
      refuse(`${where} holds a value that is no magnitude`);
  };
  check("headIn", maxima.headIn, shape.width);
  check(
    "residual and gates",
    Float32Array.of(maxima.residual, ...maxima.layers.map((layer) => layer.gate)),
    shape.layers + 1,
  );
  for (const [index, layer] of maxima.layers.entries()) {
    const at = `layer ${index}`;
    check(`${at} attentionIn`, layer.attentionIn, shape.width);
    check(`${at} query`, layer.query, queries);
    check(`${at} key`, layer.key, keys);
    check(`${at} value`, layer.value, keys);
    check(`${at} ffnIn`, layer.ffnIn, shape.width);
    check(`${at} up`, layer.up, shape.ffn);
    check(`${at} hidden`, layer.hidden, shape.ffn);
  }
}
