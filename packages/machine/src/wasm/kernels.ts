import { type AsmFunction, type CompiledModule, compileModule, isSupported } from "./asm.ts";
import { MATRIX_FORM_NAMES, MATRIX_FORMS, type MatrixFormName, type MatrixKernels } from "./dots/matrixForm.ts";
import { widenRow } from "./dots/widenRow.ts";
import type { WasmExports, WasmMemory } from "./webassembly.ts";

/** The kernels that are the same for every program: of each form of matrix products that this machine has instructions for. */
export type Kernels = Partial<Record<MatrixFormName, FormKernels>>;
export type FormKernels = MatrixKernels & { widenRow(source: number, target: number, count: number): void };

/** What other threads need to have the kernels too: one module, its functions by `exportName`. */
export type KernelModule = { kernels: Kernels; exports: WasmExports; module: CompiledModule };

export const compileKernels = (memory: WasmMemory): Kernels => compileKernelModule(memory).kernels;

export function compileKernelModule(memory: WasmMemory): KernelModule {
  const forms = MATRIX_FORM_NAMES.filter((form) => isSupported(MATRIX_FORMS[form].functions));
  const functions: Record<string, AsmFunction> = {};
  for (const form of forms)
    for (const [kernel, code] of Object.entries({ ...MATRIX_FORMS[form].functions, widenRow }))
      functions[exportName(form, kernel as keyof FormKernels)] = code;
  const { exports, compiled: module } = compileModule(memory, functions);
  const kernels: Kernels = {};
  for (const form of forms) {
    const names = Object.keys({ ...MATRIX_FORMS[form].functions, widenRow }) as (keyof FormKernels)[];
    const own = names.map((kernel) => [kernel, exports[exportName(form, kernel)]]);
    kernels[form] = Object.fromEntries(own) as unknown as FormKernels;
  }
  return { kernels, exports, module };
}

export const exportName = (form: MatrixFormName, kernel: keyof FormKernels): string => `${form}.${kernel}`;
