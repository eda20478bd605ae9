// tree <- tensor <- ids, trace; no engine behind any of them
export { leafHash, nodeHash, sha256 } from "../hash.ts";
export * from "./ids.ts";
export * from "./tensor.ts";
export * from "./trace.ts";
export * from "./tree.ts";
