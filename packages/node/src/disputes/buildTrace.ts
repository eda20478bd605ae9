import { type ConstantSource, type Job, openTrace, openWasmWith, type Program, type Trace } from "@foldmark/machine";

/** Computes every element of a job and commits to it. The trace has an engine of its own and closes it. */
export async function buildTrace(program: Program, constants: ConstantSource, job: Job): Promise<Trace> {
  const engine = await openWasmWith(program, constants, {});
  try {
    const trace = openTrace(engine, job);
    return {
      ...trace,
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
