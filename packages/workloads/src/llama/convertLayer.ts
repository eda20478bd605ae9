import { WorkloadError } from "../errors.ts";
import { fractionBits, NORM_SHIFT, SMALLEST_ACTIVATION } from "./binaryPoints.ts";
import type { LlamaLayerConfiguration } from "./configuration.ts";
import type { LayerMaxima } from "./maxima.ts";
import { largestMagnitude, powerOfTwo, quantiseLinear } from "./quantise.ts";
import { smoothDown, smoothNorm } from "./smoothing.ts";
import type { LayerTensor, LlamaShape } from "./source.ts";

type LayerContext = {
  shape: LlamaShape;
  residualUnit: number;
  maxima: LayerMaxima;
  read(name: LayerTensor): Promise<Float32Array>;
  put(name: LayerTensor, values: Int8Array | Int16Array): Promise<void>;
  putScale(name: LayerTensor, values: Int16Array): Promise<void>;
};

/** The constants of one layer, in their order, and its binary points. */
export async function convertLayer({
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

const divided = (values: Float32Array, by: Float64Array) =>
  Float64Array.from(values, (value, i) => value / (by[i] as number));
