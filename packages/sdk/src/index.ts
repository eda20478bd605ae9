// finding, asked <- checks <- verify
export { type Asked, parseAsked } from "./asked.ts";
export type { ChainReader } from "./chainReader.ts";
export type { CheckName, Finding } from "./finding.ts";
export { type Verification, type VerifyOptions, verify } from "./verify.ts";
