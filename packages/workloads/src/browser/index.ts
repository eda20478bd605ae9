import "./noEval.ts";

// What runs in a browser. noEval <- errors, families, execution, templates as in Node; requirements <- storage <- remoteFile, storedFiles, tensors <- openBrowserPackage
export { check, type Verdict } from "../execution/check.ts";
export { Generation } from "../execution/generation.ts";
export type { AnsweredJob } from "../execution/job.ts";
export { parseLlamaConfiguration } from "../llama/configuration.ts";
export { llamaProgram } from "../llama/program.ts";
export { llamaRequest, type Sampling, tokenBytes, tokensOf } from "../llama/request.ts";
export { type Hex, toHex } from "../packages/hex.ts";
export type { ChatMessage } from "../templates/message.ts";
export { renderChatTokens } from "../templates/tokens.ts";
export {
  type BrowserPackage,
  type BrowserPackageOptions,
  openBrowserPackage,
  removeBrowserPackages,
} from "./openBrowserPackage.ts";
