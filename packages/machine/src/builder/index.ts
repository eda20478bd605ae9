export * from "./builder.ts";
export type { Expr, Source, Value } from "./expr.ts";
export { literal, variables } from "./expr.ts";
export * from "./handles.ts";
export * from "./operations.ts";
