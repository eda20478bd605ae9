import "./noEval.ts";

// What runs in a browser. noEval <- errors, families, execution, templates as in Node; requirements <- storage <- remoteFile, storedFiles, tensors <- openBrowserPackage
export { WorkloadError } from "../errors.ts";
export { type Candidate, check, type Difference, type Verdict } from "../execution/check.ts";
export { Generation, type GenerationOptions, generateWhole } from "../execution/generation.ts";
export type { AnsweredJob, ServedModel } from "../execution/job.ts";
export { runWhole } from "../execution/whole.ts";
export { parseLlamaConfiguration } from "../llama/configuration.ts";
export { llamaProgram } from "../llama/program.ts";
export { type LlamaOrder, llamaRequest, tokenBytes, tokensOf } from "../llama/request.ts";
export type { Hex } from "../packages/hex.ts";
export { toHex } from "../packages/hex.ts";
export type { ChatMessage } from "../templates/message.ts";
export { type ChatFormat, renderChatTokens } from "../templates/tokens.ts";
export {
  type BrowserPackage,
  type BrowserPackageOptions,
  openBrowserPackage,
  removeBrowserPackages,
} from "./openBrowserPackage.ts";
