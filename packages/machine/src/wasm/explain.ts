import type { CompiledFold } from "./compile.ts";

/** How a fold is computed. `kernel`: recognised form; `loop`: compiled loop in 64-bit scalars; `scalar`: one element. */
export type Explanation = { stage: number; fold: number; class: "kernel" | "scalar" | "loop"; kernel: string };

export const explainFold = ({ code, kernel }: CompiledFold): Explanation => ({
  stage: code.stage,
  fold: code.fold,
  class: kernel.startsWith("dot") ? "kernel" : kernel === "scalar" ? "scalar" : "loop",
  kernel,
});
