import { instantiate } from "./asm.ts";
import { dotOneRow, dotRows, packPanels, widenRow, widenSums } from "./dotKernels.ts";
import type { WasmExports, WasmMemory } from "./webassembly.ts";

/** The kernels that are the same for every program. Arguments: `dotKernels.ts`. */
export type Kernels = {
  dotOneRow(weights: number, panels: number, panelBytes: number, x: number, xBytes: number, out: number): void;
  dotRows(
    weights: number,
    panels: number,
    panelBytes: number,
    table: number,
    skip: number,
    rowBytes: number,
    rows: number,
    out: number,
    outBytes: number,
  ): void;
  packPanels(source: number, rows: number, columns: number, target: number, panelBytes: number): number;
  widenRow(source: number, target: number, count: number): void;
  widenSums(source: number, target: number, count: number): void;
};

export function compileKernels(memory: WasmMemory): Kernels {
  const functions = { dotOneRow, dotRows, packPanels, widenRow, widenSums };
  return instantiate(memory, functions) satisfies WasmExports as unknown as Kernels;
}
