// ranges, asm <- graph, arithmetic <- sites, dots, lower <- runDot, scalars, vectors <- foldFunction <- compile <- places, segments <- threads <- evaluate <- session, wholeJob, lastStage <- sessionBlocks, recording <- engine <- open
export type { WasmEngine } from "./engine.ts";
export type { Explanation, ProfiledFold } from "./explain.ts";
export { KERNEL_FAMILIES, type KernelFamily } from "./kernelFamily.ts";
export { openWasm, openWasmWith, type WasmOptions } from "./open.ts";
export type { Recording, Steps, TapOf } from "./recording.ts";
