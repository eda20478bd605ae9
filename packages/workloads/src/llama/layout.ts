import type { ElementType } from "@foldmark/machine";
import type { LayerTensor } from "./source.ts";

/** The sizes that decide which constants a Llama has, and their shapes. */
export type LlamaSizes = {
  maxT: number;
  vocabulary: number;
  width: number;
  ffn: number;
  heads: number;
  kvHeads: number;
  headSize: number;
  isTied: boolean;
  layers: { length: number };
};

export type ConstantShape = { type: ElementType; rows: number; cols: number };

/** A matrix i8[outputs, inputs] and its multipliers i16[1, outputs], one for each output. */
const linear = (name: string, outputs: number, inputs: number): [string, ConstantShape][] => [
  [name, { type: "i8", rows: outputs, cols: inputs }],
  [`${name}.scale`, { type: "i16", rows: 1, cols: outputs }],
];
const row = (name: string, type: ElementType, cols: number): [string, ConstantShape] => [name, { type, rows: 1, cols }];

export const layerConstant = (layer: number, name: LayerTensor): string => `layer.${layer}.${name}`;

/**
 * The constants of a Llama by name, in the order of the program: embedding, tables, the layers from the first to the
 * last in the order of their use, head. Program and converter both go by this list.
 */
export function llamaConstants(sizes: LlamaSizes): Map<string, ConstantShape> {
  const { vocabulary, width, ffn, headSize, maxT } = sizes;
  const queries = sizes.heads * headSize;
  const keys = sizes.kvHeads * headSize;
  const layers = Array.from({ length: sizes.layers.length }, (_, layer) => {
    const name = (tensor: LayerTensor) => layerConstant(layer, tensor);
    return [
      row(name("attentionNorm"), "i16", width),
      ...linear(name("query"), queries, width),
      ...linear(name("key"), keys, width),
      ...linear(name("value"), keys, width),
      ...linear(name("attentionOut"), width, queries),
      row(name("ffnNorm"), "i16", width),
      ...linear(name("gate"), ffn, width),
      ...linear(name("up"), ffn, width),
      ...linear(name("down"), width, ffn),
    ];
  });
  return new Map([
    ...linear("embedding", vocabulary, width),
    ["rope.cosine", { type: "i16", rows: maxT, cols: headSize }],
    ["rope.sine", { type: "i16", rows: maxT, cols: headSize }],
    row("exp2", "i16", 65),
    row("shift", "i16", 25),
    row("sigmoid", "i32", 513),
    ["gumbel", { type: "i32", rows: 2, cols: 2_049 }],
    ...layers.flat(),
    row("headNorm", "i16", width),
    ...(sizes.isTied ? [row("head.scale", "i16", vocabulary)] : linear("head", vocabulary, width)),
  ]);
}
