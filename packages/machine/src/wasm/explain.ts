import type { CompiledFold } from "./compile.ts";

/**
 * How a fold is computed. `kernel`: a recognised form; `vector`: element by element in SIMD; `scalar`: one element;
 * `generic`: a loop in 64-bit scalars.
 */
export type Explanation = {
  stage: number;
  fold: number;
  class: "kernel" | "vector" | "scalar" | "generic";
  kernel: string;
};

export const explainFold = ({ code, kernel }: CompiledFold): Explanation => ({
  stage: code.stage,
  fold: code.fold,
  class: classOf(kernel),
  kernel,
});

function classOf(kernel: string): Explanation["class"] {
  if (kernel.startsWith("dot")) return "kernel";
  if (kernel.startsWith("vector")) return "vector";
  return kernel === "scalar" ? "scalar" : "generic";
}
