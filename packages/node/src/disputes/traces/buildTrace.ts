import { type ConstantSource, type Job, openTrace, openWasmWith, type Program, type Trace } from "@foldmark/machine";

/** A trace with an engine of its own, which it closes, and how long it took once that was there. */
export type BuiltTrace = Trace & { readonly seconds: number };

/** Computes every element of a job and commits to it. @throws `machine.*` */
export async function buildTrace(program: Program, constants: ConstantSource, job: Job): Promise<BuiltTrace> {
  const engine = await openWasmWith(program, constants, {});
  try {
    const startedAt = performance.now();
    const trace = openTrace(engine, job);
    return {
      ...trace,
      seconds: (performance.now() - startedAt) / 1_000,
      close() {
        trace.close();
        engine.close();
      },
    };
  } catch (error) {
    engine.close();
    throw error;
  }
}
