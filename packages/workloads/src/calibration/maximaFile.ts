import { WorkloadError } from "../errors.ts";
import type { LayerMaxima, LlamaMaxima } from "../llama/maxima.ts";
import type { LlamaShape } from "../llama/source.ts";

/** Channels of each list of a layer, in the order of the file. */
const listsOf = ({ width, ffn, heads, kvHeads, headSize }: LlamaShape) =>
  [
    ["attentionIn", width],
    ["query", heads * headSize],
    ["key", kvHeads * headSize],
    ["value", kvHeads * headSize],
    ["ffnIn", width],
    ["up", ffn],
    ["hidden", ffn],
  ] as const;

/** Maxima as little-endian float32, exactly: tokens, residual, then each layer's gate and lists, then what enters the head. */
export function encodeMaxima(maxima: LlamaMaxima, shape: LlamaShape): Uint8Array {
  const values = [maxima.tokens, maxima.residual];
  for (const layer of maxima.layers) {
    values.push(layer.gate);
    for (const [name] of listsOf(shape)) values.push(...layer[name]);
  }
  values.push(...maxima.headIn);
  const view = new DataView(new ArrayBuffer(4 * values.length));
  for (const [i, value] of values.entries()) view.setFloat32(4 * i, value, true);
  return new Uint8Array(view.buffer);
}

/** @throws `calibration.maxima_size` for bytes that are not as many as the shape says */
export function decodeMaxima(bytes: Uint8Array, shape: LlamaShape): LlamaMaxima {
  const layerSize = 1 + listsOf(shape).reduce((sum, [, channels]) => sum + channels, 0);
  const expected = 4 * (2 + shape.layers * layerSize + shape.width);
  if (bytes.length !== expected) {
    throw new WorkloadError(
      "calibration.maxima_size",
      `Maxima of this model take ${expected} bytes, not ${bytes.length}.`,
      {
        bytes: bytes.length,
        expected,
      },
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const next = () => view.getFloat32(4 * at++, true);
  const list = (channels: number) => Float32Array.from({ length: channels }, next);
  const tokens = next();
  const residual = next();
  const layers = Array.from({ length: shape.layers }, () => {
    const layer: Partial<LayerMaxima> = { gate: next() };
    for (const [name, channels] of listsOf(shape)) layer[name] = list(channels);
    return layer as LayerMaxima;
  });
  return { tokens, residual, layers, headIn: list(shape.width) };
}
