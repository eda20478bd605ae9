import type { ElementType } from "@foldmark/machine";
import { WorkloadError } from "../errors.ts";
import { littleEndian } from "../exact/littleEndian.ts";
import { type LlamaConfiguration, type LlamaLayerConfiguration, parseLlamaConfiguration } from "./configuration.ts";
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
import type { LayerTensor, LlamaShape, LlamaSource } from "./source.ts";
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

/** mulshr(x * gain, 2^44 / N, 59 - k) leaves k fraction bits of x / N * gain / 2^15. */
const NORM_SHIFT = 59;
const SMALLEST_GAIN = 1e-9;
const SMALLEST_ACTIVATION = 1e-6;
const TYPES: Record<number, ElementType> = { 1: "i8", 2: "i16", 4: "i32" };

type LayerContext = {
  shape: LlamaShape;
  residualUnit: number;
  maxima: LayerMaxima;
  read(name: LayerTensor): Promise<Float32Array>;
  put(name: LayerTensor, values: Int8Array | Int16Array): Promise<void>;
  putScale(name: LayerTensor, values: Int16Array): Promise<void>;
};

async function convertLayer({
  shape,
  residualUnit,
  maxima,
  read,
  put,
  putScale,
}: LayerContext): Promise<LlamaLayerConfiguration> {
  const { width, ffn, heads, kvHeads, headSize } = shape;
  const queries = heads * headSize;
  const keys = kvHeads * headSize;
  const linear = async (
    name: LayerTensor,
    weights: Float32Array,
    options: { columns: Float64Array; unit: (output: number) => number },
  ) => {
    const { matrix, scale, shift } = quantiseLinear(weights, { name, ...options });
    await put(name, matrix);
    await putScale(name, scale);
    return shift;
  };

  // attention
  const query = await read("query");
  const key = await read("key");
  const value = await read("value");
  const attentionIn = smoothNorm({
    shape,
    gains: await read("attentionNorm"),
    maxima: maxima.attentionIn,
    consumers: [query, key, value],
  });
  await put("attentionNorm", attentionIn.scaled);

  // a rotation mixes the channels of a pair, so they share a scale; 12-bit keys are 16 of its steps
  const keyStep = Float64Array.from({ length: keys }, (_, c) => {
    const pair = Math.max(maxima.key[c] as number, maxima.key[c ^ 1] as number, SMALLEST_ACTIVATION);
    return (1.1 * pair) / 127;
  });
  const valueStep = Float64Array.from({ length: keys }, (_, c) => {
    return (1.1 * Math.max(maxima.value[c] as number, SMALLEST_ACTIVATION)) / 127;
  });
  const keyChannel = (c: number) =>
    Math.floor(Math.floor(c / headSize) / (heads / kvHeads)) * headSize + (c % headSize);
  const toBase2 = Math.LOG2E / Math.sqrt(headSize);
  const scaledQuery = maxima.query.map((largest, c) => largest * (keyStep[keyChannel(c)] as number));
  const queryBits = fractionBits(2 * largestMagnitude(scaledQuery) * toBase2, 32_767);
  const queryPower = powerOfTwo(queryBits);
  const { columns, unit } = attentionIn;
  const queryShift = await linear("query", query, {
    columns,
    unit: (j) => unit * queryPower * (keyStep[keyChannel(j)] as number) * toBase2,
  });
  const keyShift = await linear("key", key, { columns, unit: (j) => (unit * 128) / (keyStep[j] as number) });
  const valueShift = await linear("value", value, { columns, unit: (j) => unit / (valueStep[j] as number) });
  const outShift = await linear("attentionOut", await read("attentionOut"), {
    columns: Float64Array.from({ length: queries }, (_, c) => valueStep[keyChannel(c)] as number),
    unit: () => residualUnit / 256,
  });

  // feed-forward network
  const gate = await read("gate");
  const up = await read("up");
  const down = await read("down");
  const ffnIn = smoothNorm({ shape, gains: await read("ffnNorm"), maxima: maxima.ffnIn, consumers: [gate, up] });
  await put("ffnNorm", ffnIn.scaled);
  const gateBits = Math.min(12, fractionBits(2 * maxima.gate, 32_767));
  if (gateBits < 4) {
    throw new WorkloadError(
      "llama.out_of_range",
      `A gate reaches ${maxima.gate}; the sigmoid's table needs less than 1,024.`,
      {
        gate: maxima.gate,
      },
    );
  }
  const smoothing = smoothDown(down, maxima.hidden, width, ffn);
  const upBits = fractionBits(2 * largestMagnitude(divided(maxima.up, smoothing)), 32_767);
  const hiddenBits = fractionBits(2 * largestMagnitude(divided(maxima.hidden, smoothing)), 32_639);
  const gatePower = powerOfTwo(gateBits);
  const upPower = powerOfTwo(upBits);
  const gateShift = await linear("gate", gate, { columns: ffnIn.columns, unit: () => ffnIn.unit * gatePower });
  const upShift = await linear("up", up, {
    columns: ffnIn.columns,
    unit: (j) => (ffnIn.unit * upPower) / (smoothing[j] as number),
  });
  const downShift = await linear("down", down, {
    columns: smoothing,
    unit: () => residualUnit / powerOfTwo(hiddenBits),
  });

  return {
    attentionNorm: NORM_SHIFT - attentionIn.bits,
    query: queryShift,
    key: keyShift,
    value: valueShift,
    score: queryBits - 12,
    attentionOut: outShift,
    ffnNorm: NORM_SHIFT - ffnIn.bits,
    gate: gateShift,
    up: upShift,
    gateBits,
    hidden: gateBits + upBits - hiddenBits,
    down: downShift,
  };
}

type SmoothedNorm = {
  scaled: Int16Array;
  bits: number;
  /** What column i of a consumer is multiplied by: gain / (scaled gain). */
  columns: Float64Array;
  /** Real value of one step of the norm's output. */
  unit: number;
};

/** Spreads a norm's outliers between activations and the consumers' columns (Xiao et al. 2022, arXiv:2211.10438). */
function smoothNorm({
  shape,
  gains,
  maxima,
  consumers,
}: {
  shape: LlamaShape;
  gains: Float32Array;
  maxima: Float32Array;
  consumers: Float32Array[];
}): SmoothedNorm {
  const { width } = shape;
  const columnMaxima = new Float64Array(width).fill(SMALLEST_ACTIVATION);
  for (const matrix of consumers) foldColumnMaxima(columnMaxima, matrix);
  const smoothed = Float64Array.from(gains, (gain, i) => {
    const activation = Math.max(maxima[i] as number, SMALLEST_ACTIVATION);
    const magnitude = Math.max(Math.abs(gain), SMALLEST_GAIN);
    return (magnitude * Math.sqrt(columnMaxima[i] as number)) / Math.sqrt(activation);
  });
  const largest = largestMagnitude(smoothed);
  const scaled = Int16Array.from(smoothed, (gain) => Math.max(1, roundHalfUp((32_767 * gain) / largest)));
  const bits = normScale({ shape, maxima, gains, scaled });
  return {
    scaled,
    bits,
    columns: Float64Array.from(gains, (gain, i) => (gain * 32_768) / (scaled[i] as number)),
    unit: normUnit(shape, bits),
  };
}

/** Fraction bits of a norm's output: twice what calibration saw still fits. */
function normScale({
  shape,
  maxima,
  gains,
  scaled,
}: {
  shape: LlamaShape;
  maxima: Float32Array;
  gains: Float32Array;
  scaled: Int16Array;
}): number {
  const root = Math.sqrt(shape.width);
  let largest = SMALLEST_ACTIVATION;
  for (let i = 0; i < shape.width; i++) {
    const normalised = (maxima[i] as number) / Math.max(Math.abs(gains[i] as number), SMALLEST_GAIN);
    const scaledGain = Math.abs(scaled[i] as number) / 32_768;
    largest = Math.max(largest, (Math.min(normalised, root) * scaledGain) / root); // |normalised| <= sqrt(width)
  }
  return fractionBits(2 * largest, 32_639);
}

const normUnit = (shape: LlamaShape, bits: number) => Math.sqrt(shape.width) / powerOfTwo(bits);

/** Moves outliers of the hidden channels into the columns of `down`: at most 1, for each channel. */
function smoothDown(down: Float32Array, hidden: Float32Array, width: number, ffn: number): Float64Array {
  const columnMaxima = new Float64Array(ffn).fill(SMALLEST_ACTIVATION);
  if (down.length !== width * ffn) throw new RangeError(`down has ${down.length} weights`);
  foldColumnMaxima(columnMaxima, down);
  const smoothing = Float64Array.from(columnMaxima, (largest, j) => {
    return Math.sqrt(Math.max(hidden[j] as number, SMALLEST_ACTIVATION)) / Math.sqrt(largest);
  });
  const largest = largestMagnitude(smoothing);
  return smoothing.map((value) => value / largest);
}

function foldColumnMaxima(columnMaxima: Float64Array, matrix: Float32Array): void {
  const columns = columnMaxima.length;
  for (let row = 0; row < matrix.length; row += columns) {
    for (let i = 0; i < columns; i++) {
      const magnitude = Math.abs(matrix[row + i] as number);
      if (magnitude > (columnMaxima[i] as number)) columnMaxima[i] = magnitude;
    }
  }
}

const divided = (values: Float32Array, by: Float64Array) =>
  Float64Array.from(values, (value, i) => value / (by[i] as number));

/** The most fraction bits with which `largest` still fits `bound`. */
const fractionBits = (largest: number, bound: number) => floorLog2(bound / Math.max(largest, SMALLEST_ACTIVATION));

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

function checkShape(shape: LlamaShape, maxT: number): void {
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

function checkMaxima(shape: LlamaShape, maxima: LlamaMaxima): void {
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
