import type { Combine, ElementType, Size } from "../program.ts";
import type { CompiledFold } from "./compile.ts";
import type { Range } from "./ranges.ts";

/**
 * How a fold is computed. `kernel`: a recognised form; `vector`: element by element in SIMD; `scalar`: one element;
 * `generic`: a loop in 64-bit scalars.
 */
export type Explanation = {
  stage: number;
  fold: number;
  type: ElementType;
  /** Elements of a step, and what each combines; `axis` is 0 where it combines nothing. */
  rows: Size;
  cols: Size;
  combine: Combine;
  axis: Size;
  class: "kernel" | "vector" | "scalar" | "generic";
  kernel: string;
  /** Values that an element is proved to lie between, both included. */
  interval: Range;
};

export type ProfiledFold = Explanation & { milliseconds: number };

export function explainFold({ code, kernel, range }: CompiledFold): Explanation {
  const { type, rows, cols, combine, axis } = code.decl;
  const shape = { type, rows, cols, combine, axis };
  return { stage: code.stage, fold: code.fold, ...shape, class: classOf(kernel), kernel, interval: range };
}

function classOf(kernel: string): Explanation["class"] {
  if (kernel.startsWith("dot")) return "kernel";
  if (kernel.startsWith("vector")) return "vector";
  return kernel === "scalar" ? "scalar" : "generic";
}
