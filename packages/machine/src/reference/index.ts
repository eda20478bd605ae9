// arithmetic, philox <- element <- operands <- evaluation <- engine, trace
export { arithmetic } from "./arithmetic.ts";
export { type ElementAddress, element, type Operands } from "./element.ts";
export { openReference } from "./engine.ts";
export { operandsFrom, type TensorInputs } from "./operands.ts";
export { philox4x32 } from "./philox.ts";
export { type ReferenceTrace, traceByReference } from "./trace.ts";
