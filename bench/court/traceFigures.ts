import { fork } from "node:child_process";
import { once } from "node:events";
import type { BenchJob } from "./job.ts";
import type { TraceFigures, TraceTask } from "./traceChild.ts";

/** What building the trace of a job takes, beside reading the same text. */
export async function traceFigures({ dir, job }: BenchJob, { rounds }: { rounds: number }): Promise<TraceFigures> {
  const child = fork(new URL("./traceChild.ts", import.meta.url), { serialization: "advanced" });
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`the process that builds traces ended with ${code}`);
  });
  ended.catch(() => undefined);
  child.send({ dir, job, rounds } satisfies TraceTask);
  const [figures] = await Promise.race([once(child, "message"), ended]);
  return figures;
}
