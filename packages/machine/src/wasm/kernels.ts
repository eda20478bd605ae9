import { type CompiledModule, compileModule } from "./asm.ts";
import { packPanels } from "./dots/packing.ts";
import { dotRows } from "./dots/rows.ts";
import { balanceRows, widenRow, widenSums } from "./dots/widening.ts";
import type { WasmExports, WasmMemory } from "./webassembly.ts";

/** The kernels that are the same for every program. Arguments: where they are defined. */
export type Kernels = {
  packPanels(source: number, rows: number, columns: number, target: number, panels: number, panelBytes: number): number;
  balanceRows(table: number, rows: number, rowBytes: number): void;
  dotRows(
    weights: number,
    panels: number,
    panelBytes: number,
    table: number,
    rows: number,
    rowBytes: number,
    out: number,
    outBytes: number,
  ): void;
  widenRow(source: number, target: number, count: number): void;
  widenSums(source: number, target: number, count: number): void;
};

export const compileKernels = (memory: WasmMemory): Kernels => compileKernelModule(memory).kernels;

/** The kernels, and what other threads need to have them too. */
export function compileKernelModule(memory: WasmMemory): { kernels: Kernels; module: CompiledModule } {
  const functions = { packPanels, balanceRows, dotRows, widenRow, widenSums };
  const { exports, compiled: module } = compileModule(memory, functions);
  return { kernels: exports satisfies WasmExports as unknown as Kernels, module };
}
