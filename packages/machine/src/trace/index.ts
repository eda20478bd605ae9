// layout <- position <- trace, tree <- firstFalse, inMemory; shaLanes <- hashLanes, keptLevels <- tensorStream, plan <- laneTensorHasher, streamed <- traceBuild
export { type TraceCost, traceCost } from "./cost.ts";
export { type GivenTensor, traceFromTensors, traceInMemory } from "./inMemory.ts";
export { LaneTensorHasher } from "./laneTensorHasher.ts";
export { type ElementPlace, elementOfPlace, foldTensorBytes, leafCount, placeOfElement, stepsOf } from "./layout.ts";
export { TRACE_LIMITS, type TraceLimits } from "./plan.ts";
export * from "./position.ts";
export type * from "./trace.ts";
export { buildTrace, openTrace, type TraceBuild } from "./traceBuild.ts";
