// Builds traces in a process of its own, so that its memory is a trace's and an engine's and nothing else's. Started by
// `traceFigures` with a job as its first message; its only answer are the figures.
import { buildTrace, type Job, openWasmWith, type WasmEngine } from "@foldmark/machine";
import { families, openPackage, tokensOf } from "@foldmark/workloads";
import { median } from "../statistics.ts";

export type TraceTask = { dir: string; job: Job; rounds: number };
export type TraceFigures = {
  /** CPU time in seconds, medians of rounds. */
  traceSeconds: number;
  prefillSeconds: number;
  /**
   * The most memory that the process ever held until its first trace was built, with its engine, its model and all. On
   * Linux it begins with what the process that started it held.
   */
  memoryBytes: number;
  /** What of it was held while the trace was built, and what an engine that has opened its model holds. */
  buildingBytes: number;
  engineBytes: number;
};

process.once("message", async ({ dir, job, rounds }: TraceTask) => {
  const { program, constants } = await openPackage(dir, { families, verify: "sizes" });
  const engine = await openWasmWith(program, constants, {});
  const engineBytes = process.memoryUsage.rss();
  const buildingBytes = build(engine, job);
  const memoryBytes = process.resourceUsage().maxRSS * 1_024;
  prefill(engine, job);
  const times = Array.from({ length: rounds }, () => ({
    prefill: cpuSeconds(() => prefill(engine, job)),
    trace: cpuSeconds(() => build(engine, job)),
  }));
  const figures: TraceFigures = {
    traceSeconds: median(times.map(({ trace }) => trace)),
    prefillSeconds: median(times.map(({ prefill }) => prefill)),
    ...{ memoryBytes, buildingBytes, engineBytes },
  };
  process.send?.(figures, () => process.disconnect());
});

/** Builds a trace; gives the most memory that the process held between two blocks of steps. */
function build(engine: WasmEngine, job: Job): number {
  const building = buildTrace(engine, job);
  let most = 0;
  for (;;) {
    const trace = building.advance();
    most = Math.max(most, process.memoryUsage.rss());
    if (!trace) continue;
    trace.close();
    return most;
  }
}

/** Reads the whole text up to the token that follows it. */
function prefill(engine: WasmEngine, { request, claimed }: Job): void {
  const session = engine.open({ request });
  const [tokens = new Uint8Array()] = claimed;
  const sample = { stage: engine.program.stages.length - 2, fold: 0, steps: "last" as const };
  engine.advance([{ session, steps: tokensOf(tokens).length, claimed: [tokens], want: [sample] }]);
  session.close();
}

function cpuSeconds(work: () => void): number {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}
