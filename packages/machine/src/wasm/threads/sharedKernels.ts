import { PANEL_ROWS } from "../dots/panels.ts";
import type { Kernels } from "../kernels.ts";
import type { Crew, KernelJob } from "./crew.ts";

/** Chunks a thread: one that starts late or is disturbed leaves its share to the others. */
const CHUNKS_PER_THREAD = 4;
/** Less work than this, in weights read times rows, is done before another thread has heard of it. */
const LEAST_CHUNK = 8_192;

/** Kernels of matrix products that all threads share: a range of panels is independent of others and writes its own sums. */
export function sharedKernels(kernels: Kernels, names: readonly string[], crew: Crew): Kernels {
  const kernel = names.indexOf("dotRows");
  return {
    ...kernels,
    dotRows(...args) {
      const [, panels, panelBytes, , rows] = args;
      const least = LEAST_CHUNK / (panelBytes * rows);
      const itemsPerChunk = evenPanels(Math.max(least, panels / (crew.threads * CHUNKS_PER_THREAD)));
      if (itemsPerChunk >= panels) kernels.dotRows(...args);
      else crew.run(jobOf(kernel, args, itemsPerChunk));
    },
  };
}

/** Kernels whose matrix products are computed by one helper alone, for its known answers. */
export function kernelsOfHelper(kernels: Kernels, names: readonly string[], crew: Crew, helper: number): Kernels {
  const kernel = names.indexOf("dotRows");
  return { ...kernels, dotRows: (...args) => crew.runOn(helper, jobOf(kernel, args, args[1])) };
}

/** Memory may be read as two streams of pairs of panels. */
const evenPanels = (panels: number): number => Math.ceil(panels / 4) * 4;

function jobOf(kernel: number, args: Parameters<Kernels["dotRows"]>, itemsPerChunk: number): KernelJob {
  const [, panels, panelBytes] = args;
  const steps = [panelBytes, 0, 0, 0, 0, 0, PANEL_ROWS * 4, 0];
  return { kernel, items: panels, itemsPerChunk, counted: 1, arguments: args, steps };
}
