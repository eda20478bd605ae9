import { ARGUMENTS, CALLS, chunkEnd, FOLDS, JOB, job, NEXT_CHUNK } from "./control.ts";

/** A thread's own instances of the functions that jobs name by number. */
export type Functions = { kernels: KernelFunction[]; folds: FoldFunction[] };
export type KernelFunction = (...args: number[]) => unknown;
export type FoldFunction = (frame: number) => unknown;

/**
 * Takes chunks of the present job until none is left, and says how many. All threads do this, so one that gets no core holds
 * nobody up.
 */
export function runChunks(control: Int32Array, { kernels, folds }: Functions): number {
  const runs = control[JOB + job.runs] as number;
  const chunks = control[JOB + job.chunks] as number;
  for (let done = 0; ; done++) {
    const chunk = Atomics.add(control, NEXT_CHUNK, 1);
    if (chunk >= chunks) return done;
    if (runs === FOLDS) runCalls(control, chunk, folds);
    else runKernel(control, chunk, kernels[runs] as KernelFunction);
  }
}

function runCalls(control: Int32Array, chunk: number, folds: FoldFunction[]): void {
  const end = control[chunkEnd(chunk)] as number;
  for (let call = chunk === 0 ? 0 : (control[chunkEnd(chunk - 1)] as number); call < end; call++) {
    const [fold, frame] = [control[CALLS + call * 2] as number, control[CALLS + call * 2 + 1] as number];
    (folds[fold] as FoldFunction)(frame);
  }
}

/** Of the call in the making: a fresh array for each of thousands a second would cost more than the call. */
const args: number[] = new Array(ARGUMENTS).fill(0);

function runKernel(control: Int32Array, chunk: number, kernel: KernelFunction): void {
  const most = control[JOB + job.itemsPerChunk] as number;
  const from = chunk * most;
  for (let n = 0; n < ARGUMENTS; n++)
    args[n] = (control[JOB + job.arguments + n] as number) + from * (control[JOB + job.steps + n] as number);
  args[control[JOB + job.counted] as number] = Math.min(most, (control[JOB + job.items] as number) - from);
  kernel(...args);
}
