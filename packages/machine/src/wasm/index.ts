// ranges, asm <- graph, arithmetic <- sites, dots, lower <- runDot, scalars, vectors <- foldFunction <- compile <- places, segments <- threads <- evaluate <- session, wholeJob, lastStage <- recording <- engine
export { openWasm, openWasmWith, type WasmEngine, type WasmOptions } from "./engine.ts";
export type { Explanation, ProfiledFold } from "./explain.ts";
export { KERNEL_FAMILIES, type KernelFamily } from "./kernelFamily.ts";
export type { Recording, Steps, TapOf } from "./recording.ts";
