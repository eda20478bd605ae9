import type { ElementType } from "@foldmark/machine";
import { WorkloadError } from "../errors.ts";
import { littleEndian } from "../exact/littleEndian.ts";
import { NORM_SHIFT, SMALLEST_GAIN } from "./binaryPoints.ts";
import { type LlamaConfiguration, type LlamaLayerConfiguration, parseLlamaConfiguration } from "./configuration.ts";
import { checkMaxima, checkShape } from "./convertChecks.ts";
import { convertLayer } from "./convertLayer.ts";
import { layerConstant, llamaConstants } from "./layout.ts";
import type { LayerMaxima, LlamaMaxima } from "./maxima.ts";
import {
  clamp,
  floorLog2,
  largestMagnitude,
  multiplierShift,
  powerOfTwo,
  quantiseLinear,
  roundHalfUp,
} from "./quantise.ts";
import { normScale, normUnit } from "./smoothing.ts";
import type { LlamaSource } from "./source.ts";
import { exp2Table, gumbelTable, ropeTables, shiftTable, sigmoidTable } from "./tables.ts";

export type ConvertOptions = {
  /** Longest job: prompt and answer together. */
  maxT: number;
  /** Tokens that end an answer, at most 8. */
  stopIds: number[];
  /** Takes each constant once, in the order of `llamaConstants`. The bytes are the converter's no longer. */
  write(constant: { index: number; name: string; bytes: Uint8Array }): Promise<void> | void;
  progress?(done: number, of: number): void;
};

/**
 * Turns a Llama into integers: weights of 8 bits with a 15-bit multiplier for each output, activations of 16 bits whose
 * binary points come from the calibration maxima. The same source and maxima give the same bytes on every machine: only
 * + - * / and square roots touch a float, all of them exact by IEEE 754.
 *
 * @throws `llama.shape_unsupported`, `llama.maxima_mismatch`, `llama.out_of_range`
 */
export async function convertLlama(
  weights: LlamaSource,
  maxima: LlamaMaxima,
  { maxT, stopIds, write, progress }: ConvertOptions,
): Promise<LlamaConfiguration> {
  const source = finite(weights);
  const { shape } = source;
  checkShape(shape, maxT);
  checkMaxima(shape, maxima);
  const constants = [...llamaConstants({ ...shape, maxT, layers: { length: shape.layers } })];
  let next = 0;
  const put = async (name: string, values: Int8Array | Int16Array | Int32Array) => {
    const [expected, { type, rows, cols }] = constants[next] as (typeof constants)[number];
    if (name !== expected || values.length !== rows * cols || TYPES[values.BYTES_PER_ELEMENT] !== type) {
      throw new Error(`constant ${next} is ${expected}: ${type}[${rows}, ${cols}], not ${name} of ${values.length}`);
    }
    await write({ index: next++, name, bytes: littleEndian(values) });
  };

  const residualBits = Math.min(26, Math.floor((62 - ceilLog2(shape.width)) / 2));
  const fraction = residualFraction(maxima.residual, residualBits);
  const residualUnit = powerOfTwo(fraction);

  const embedding = quantiseLinear(await source.read("embedding"), {
    name: "embedding",
    columns: new Float64Array(shape.width).fill(1),
    unit: () => residualUnit,
  });
  await put("embedding", embedding.matrix);
  await put("embedding.scale", embedding.scale);
  const factors = shape.hasRopeFactors ? await source.read("ropeFactors") : undefined;
  const { headSize, rotated, ropeBase } = shape;
  const rope = ropeTables({ maxT, headSize, rotated, base: ropeBase, factors });
  await put("rope.cosine", rope.cosine);
  await put("rope.sine", rope.sine);
  await put("exp2", exp2Table());
  await put("shift", shiftTable());
  await put("sigmoid", sigmoidTable());
  await put("gumbel", gumbelTable());
  progress?.(1, shape.layers + 2);

  const layers: LlamaLayerConfiguration[] = [];
  for (let layer = 0; layer < shape.layers; layer++) {
    layers.push(
      await convertLayer({
        shape,
        residualUnit,
        maxima: maxima.layers[layer] as LayerMaxima,
        read: (name) => source.read({ layer, name }),
        put: (name, values) => put(layerConstant(layer, name), values),
        putScale: (name, values) => put(`${layerConstant(layer, name)}.scale`, values),
      }),
    );
    progress?.(layer + 2, shape.layers + 2);
  }

  // The head's norm keeps its signed gains, so that a tied head can share the embedding's rows.
  const gains = await source.read("headNorm");
  const largestGain = Math.max(largestMagnitude(gains), SMALLEST_GAIN);
  const headGains = Int16Array.from(gains, (gain) => roundHalfUp((32_767 * gain) / largestGain));
  const headNorm = normScale({ shape, maxima: maxima.headIn, gains, scaled: headGains });
  await put("headNorm", headGains);
  const logitUnit = ((normUnit(shape, headNorm) * largestGain * 32_768) / 32_767) * 65_536;
  let head: number;
  if (shape.isTied) {
    const unit = logitUnit / (powerOfTwo(embedding.shift) * residualUnit);
    const steps = Float64Array.from(embedding.scale, (scale) => scale * unit);
    head = multiplierShift("head", steps);
    const power = powerOfTwo(head);
    await put(
      "head.scale",
      Int16Array.from(steps, (step) => clamp(roundHalfUp(step * power), 32_767)),
    );
  } else {
    const quantised = quantiseLinear(await source.read("head"), {
      name: "head",
      columns: new Float64Array(shape.width).fill(1),
      unit: () => logitUnit,
    });
    await put("head", quantised.matrix);
    await put("head.scale", quantised.scale);
    head = quantised.shift;
  }
  progress?.(shape.layers + 2, shape.layers + 2);

  return parseLlamaConfiguration({
    maxT,
    vocabulary: shape.vocabulary,
    width: shape.width,
    ffn: shape.ffn,
    heads: shape.heads,
    kvHeads: shape.kvHeads,
    headSize: shape.headSize,
    isTied: shape.isTied,
    stopIds,
    epsilon: roundHalfUp(shape.width * shape.epsilon * residualUnit * residualUnit),
    residualBits,
    embedding: embedding.shift,
    layers,
    headNorm: NORM_SHIFT - headNorm,
    head,
  });
}

const TYPES: Record<number, ElementType> = { 1: "i8", 2: "i16", 4: "i32" };

/** Fraction bits of the residual stream: half as much again as calibration saw must fit. */
function residualFraction(largest: number, bits: number): number {
  for (let fraction = 10; fraction >= 2; fraction--) {
    if (1.5 * largest < powerOfTwo(bits - fraction)) return fraction;
  }
  throw new WorkloadError(
    "llama.out_of_range",
    `The residual stream reaches ${largest}; ${bits} bits cannot hold it.`,
    {
      largest,
      bits,
    },
  );
}

/** The same source, which refuses a weight that is no number. */
function finite(source: LlamaSource): LlamaSource {
  return {
    shape: source.shape,
    async read(tensor) {
      const values = await source.read(tensor);
      const at = values.findIndex((value) => !Number.isFinite(value));
      if (at < 0) return values;
      const name = typeof tensor === "string" ? tensor : layerConstant(tensor.layer, tensor.name);
      const message = `Weight ${at} of ${name} is ${values[at]}.`;
      throw new WorkloadError("llama.out_of_range", message, { name, at, value: values[at] });
    },
  };
}

const ceilLog2 = (n: number) => floorLog2(n) + (powerOfTwo(floorLog2(n)) < n ? 1 : 0);
