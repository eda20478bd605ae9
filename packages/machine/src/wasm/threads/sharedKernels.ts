import { MATRIX_FORM_NAMES } from "../dots/matrixForm.ts";
import { PANEL_ROWS } from "../dots/panels.ts";
import { exportName, type FormKernels, type Kernels } from "../kernels.ts";
import type { Crew, KernelJob } from "./crew.ts";

/** Chunks a thread: one that starts late or is disturbed leaves its share to the others. */
const CHUNKS_PER_THREAD = 2;
/** Less work than this, in weights read times rows, is done before another thread has heard of it. */
const LEAST_CHUNK = 32_768;

/** Kernels whose calls are divided, and bytes of their sums. */
const DIVIDED = { dotRows: 4, dotRowsWide: 8 } as const;
type Divided = keyof typeof DIVIDED;
type Arguments = Parameters<FormKernels[Divided]>;

/** Kernels of matrix products that all threads share: a range of panels is independent of others and writes its own sums. */
export const sharedKernels = (kernels: Kernels, names: readonly string[], crew: Crew): Kernels =>
  withDivided(kernels, names, (jobOf, args, alone) => {
    const [, panels, panelBytes, , rows] = args;
    const least = LEAST_CHUNK / (panelBytes * rows);
    const itemsPerChunk = evenPanels(Math.max(least, panels / (crew.threads * CHUNKS_PER_THREAD)));
    if (itemsPerChunk >= panels) alone(...args);
    else crew.run(jobOf(itemsPerChunk));
  });

/** Kernels whose matrix products are computed by one helper alone, for its known answers. */
export const kernelsOfHelper = (kernels: Kernels, names: readonly string[], crew: Crew, helper: number): Kernels =>
  withDivided(kernels, names, (jobOf, args) => crew.runOn(helper, jobOf(args[1])));

/** The kernels with other ways to run those that can be divided. */
function withDivided(
  kernels: Kernels,
  names: readonly string[],
  run: (jobOf: (itemsPerChunk: number) => KernelJob, args: Arguments, alone: FormKernels[Divided]) => void,
): Kernels {
  const result: Kernels = {};
  for (const form of MATRIX_FORM_NAMES) {
    const own = kernels[form];
    if (own === undefined) continue;
    const divided = (name: Divided) => {
      const kernel = names.indexOf(exportName(form, name));
      return (...args: Arguments) => run((most) => jobOf(kernel, args, most, DIVIDED[name]), args, own[name]);
    };
    result[form] = { ...own, dotRows: divided("dotRows"), dotRowsWide: divided("dotRowsWide") };
  }
  return result;
}

/** Memory may be read as two streams of pairs of panels. */
const evenPanels = (panels: number): number => Math.ceil(panels / 4) * 4;

function jobOf(kernel: number, args: Arguments, itemsPerChunk: number, sumBytes: number): KernelJob {
  const [, panels, panelBytes] = args;
  const steps = [panelBytes, 0, 0, 0, 0, 0, PANEL_ROWS * sumBytes, 0];
  return { kernel, items: panels, itemsPerChunk, counted: 1, arguments: args, steps };
}
