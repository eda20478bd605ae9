export { DEFAULT_MAX_T, type ImportOptions, type ImportStep, importGguf } from "./importGguf.ts";
export { importMonteCarlo } from "./importMonteCarlo.ts";
