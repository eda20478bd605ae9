/** The sizes of a Llama: how many of what, and how wide. */
export type LlamaShape = {
  layers: number;
  /** d, the width of the residual stream. */
  width: number;
  /** Channels of the feed-forward network. */
  ffn: number;
  heads: number;
  /** Key and value heads; each serves heads / kvHeads query heads. */
  kvHeads: number;
  headSize: number;
  vocabulary: number;
  /** Positions that the model was trained for. */
  context: number;
  /** Channels of a head that rotate, from the first. */
  rotated: number;
  ropeBase: number;
  /** What the norms add to the mean square. */
  epsilon: number;
  /** The head is the embedding. */
  isTied: boolean;
  hasRopeFactors: boolean;
};

/** A tensor of the model, by what it does. Layers count from 0. */
export type LlamaTensor =
  | "embedding" // [vocabulary, width]
  | "headNorm" // [width]
  | "head" // [vocabulary, width], where it is not the embedding
  | "ropeFactors" // [rotated / 2]
  | { layer: number; name: LayerTensor };

export type LayerTensor =
  | "attentionNorm" // [width]
  | "query" // [heads * headSize, width]
  | "key" // [kvHeads * headSize, width]
  | "value" // [kvHeads * headSize, width]
  | "attentionOut" // [width, heads * headSize]
  | "ffnNorm" // [width]
  | "gate" // [ffn, width]
  | "up" // [ffn, width]
  | "down"; // [width, ffn]

/** A model's weights as floats, row by row, a row for each output channel; rope turns adjacent channels. */
export type LlamaSource = {
  readonly shape: LlamaShape;
  read(tensor: LlamaTensor): Promise<Float32Array>;
};
