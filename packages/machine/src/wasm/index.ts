// ranges <- graph <- lower <- foldFunction, dotKernels <- compile <- evaluate <- session, wholeJob <- engine
export { openWasm, openWasmWith, type WasmEngine, type WasmOptions } from "./engine.ts";
export type { Explanation } from "./explain.ts";
