// layout <- position <- trace, tree <- firstFalse, inMemory
export { type GivenTensor, traceFromTensors, traceInMemory } from "./inMemory.ts";
export { type ElementPlace, elementOfPlace, foldTensorBytes, leafCount, placeOfElement, stepsOf } from "./layout.ts";
export * from "./position.ts";
export type * from "./trace.ts";
