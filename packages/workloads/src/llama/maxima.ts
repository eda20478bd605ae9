/** The largest magnitude that each channel took while a model read a calibration text. */
export type LlamaMaxima = {
  /** Tokens that were read. */
  tokens: number;
  /** Largest magnitude of the residual stream. */
  residual: number;
  layers: LayerMaxima[];
  /** What enters the head: [width]. */
  headIn: Float32Array;
};

export type LayerMaxima = {
  /** What enters query, key and value, the norm's gains included: [width]. */
  attentionIn: Float32Array;
  /** After rope: [heads * headSize]. */
  query: Float32Array;
  /** After rope: [kvHeads * headSize]. */
  key: Float32Array;
  value: Float32Array; // [kvHeads * headSize]
  /** What enters gate and up, the norm's gains included: [width]. */
  ffnIn: Float32Array;
  up: Float32Array; // [ffn]
  /** silu(gate) * up: [ffn]. */
  hidden: Float32Array;
  /** Over all channels. */
  gate: number;
};
