// Order of the folders: errors; exact; importers, tokenizers; templates; llama, simulations; calibration; packages; families, execution; defaultModel; importing. None imports a later one. `browser` is an entry of its own: what is there needs nothing of Node.
export { collectMaxima } from "./calibration/collect.ts";
export { type CorpusPart, corpusTokens, mixedCorpus, parseCorpus } from "./calibration/corpus.ts";
export { type EvaluateOptions, type Evaluation, evaluate } from "./calibration/evaluate.ts";
export { knownMaxima } from "./calibration/knownMaxima.ts";
export { decodeMaxima, encodeMaxima } from "./calibration/maximaFile.ts";
export { DEFAULT_MODEL, type KnownFile, type ModelFacts } from "./defaultModel/facts.ts";
export {
  defaultCacheDir,
  type FetchedModel,
  type FetchOptions,
  fetchDefaultModel,
  fetchModel,
} from "./defaultModel/fetch.ts";
export type { FetchProgress } from "./defaultModel/progress.ts";
export { WorkloadError } from "./errors.ts";
export { type Candidate, check, type Difference, type Verdict } from "./execution/check.ts";
export { Generation, type GenerationOptions, generateWhole } from "./execution/generation.ts";
export type { AnsweredJob, ServedModel } from "./execution/job.ts";
export { type SpotCheckOptions, type SpotDifference, spotCheck } from "./execution/spotCheck.ts";
export { runWhole } from "./execution/whole.ts";
export { families } from "./families/index.ts";
export { dequantise } from "./importers/dequantise.ts";
export { type GgufFile, openGguf } from "./importers/gguf/file.ts";
export type { GgufTensor } from "./importers/gguf/header.ts";
export type { GgufMetadata, GgufValue } from "./importers/gguf/metadata.ts";
export { GGUF_TYPES, type GgufType } from "./importers/gguf/types.ts";
export { DEFAULT_MAX_T, type ImportOptions, type ImportStep, importGguf, importMonteCarlo } from "./importing/index.ts";
export { type LlamaConfiguration, parseLlamaConfiguration } from "./llama/configuration.ts";
export { type ConvertOptions, convertLlama } from "./llama/convert.ts";
export { ggufLlama } from "./llama/ggufSource.ts";
export { llamaConstants } from "./llama/layout.ts";
export type { LlamaMaxima } from "./llama/maxima.ts";
export { type LlamaProgram, llamaProgram } from "./llama/program.ts";
export {
  checkLlamaRequest,
  type LlamaOrder,
  type LlamaRequest,
  llamaRequest,
  readLlamaRequest,
  type Sampling,
  tokenBytes,
  tokensOf,
  withLimit,
} from "./llama/request.ts";
export type { LlamaShape, LlamaSource } from "./llama/source.ts";
export { assetId } from "./packages/assetId.ts";
export { canonicalJson, type Json } from "./packages/canonicalJson.ts";
export type { AnswerSource, BuiltModel, Families, Family, LengthRule, ModelKind } from "./packages/family.ts";
export { fromHex, type Hex, toHex } from "./packages/hex.ts";
export {
  decodeManifest,
  encodeManifest,
  MANIFEST_FILE,
  MAX_MANIFEST_BYTES,
  type Manifest,
  PACKAGE_FILES,
} from "./packages/manifest.ts";
export { type ModelPackage, type OpenPackageOptions, openPackage } from "./packages/open.ts";
export {
  moveIntoPlace,
  type PackageParts,
  PackageWriter,
  refuseOtherFolder,
  type WrittenPackage,
  writePackage,
} from "./packages/write.ts";
export { blackScholes } from "./simulations/closedForm.ts";
export {
  DEFAULT_MONTE_CARLO,
  type MonteCarloConfiguration,
  monteCarloConstants,
  parseMonteCarloConfiguration,
} from "./simulations/monteCarlo.ts";
export {
  type CallOrder,
  type CallPrice,
  callBlocks,
  callRequest,
  checkCallRequest,
  type EuropeanCall,
  PATHS_PER_BLOCK,
  readCallPrice,
} from "./simulations/option.ts";
export type { ChatMessage } from "./templates/message.ts";
export { type RenderOptions, renderChat } from "./templates/render.ts";
export { type ChatFormat, renderChatTokens } from "./templates/tokens.ts";
export { renderChatTokensInWorker, renderInWorker, type WorkerOptions } from "./templates/worker.ts";
export { tokenizerFromGguf } from "./tokenizers/fromGguf.ts";
export { parseTokenizerSpec, type TokenizerSpec } from "./tokenizers/spec.ts";
export type { Section } from "./tokenizers/splitter.ts";
export { type ControlOptions, openTokenizer, type TextStream, type Tokenizer } from "./tokenizers/tokenizer.ts";
