// Order of the folders: errors; importers, tokenizers; templates; packages; defaultModel. None imports a later one.
export { WorkloadError } from "./errors.ts";
export { dequantise } from "./importers/dequantise.ts";
export { type GgufFile, openGguf } from "./importers/gguf/file.ts";
export type { GgufTensor } from "./importers/gguf/header.ts";
export type { GgufMetadata, GgufValue } from "./importers/gguf/metadata.ts";
export { GGUF_TYPES, type GgufType } from "./importers/gguf/types.ts";
export type { AnswerSource, BuiltModel, Families, Family, LengthRule, ModelKind } from "./packages/family.ts";
export type { ChatMessage } from "./templates/message.ts";
export { type RenderOptions, renderChat } from "./templates/render.ts";
export { type ChatFormat, renderChatTokens, renderChatTokensInWorker } from "./templates/tokens.ts";
export { renderInWorker, type WorkerOptions } from "./templates/worker.ts";
export { tokenizerFromGguf } from "./tokenizers/fromGguf.ts";
export { parseTokenizerSpec, type TokenizerSpec } from "./tokenizers/spec.ts";
export type { Section } from "./tokenizers/splitter.ts";
export { type ControlOptions, openTokenizer, type TextStream, type Tokenizer } from "./tokenizers/tokenizer.ts";
