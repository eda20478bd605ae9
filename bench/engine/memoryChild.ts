// Opens a package and reads with it in a process of its own, so that its memory is an engine's and nothing else's. Started
// by `memory` with its folder as the first message.
import { openWasmWith } from "@foldmark/machine";
import { families, llamaRequest, openPackage, tokenBytes } from "@foldmark/workloads";

export type MemoryTask = { dir: string; steps: number };
export type MemoryFigures = {
  /** Resident before anything is opened: Node and the code of this project. */
  bareBytes: number;
  /** Resident with one session of so many steps. */
  residentBytes: number;
  /** What the engine says that it uses, with that session; and what the session keeps of it. */
  usedBytes: number;
  sessionBytes: number;
  packageBytes: number;
};

process.once("message", async ({ dir, steps }: MemoryTask) => {
  const bareBytes = process.memoryUsage.rss();
  const { program, constants, sizeBytes, manifest } = await openPackage(dir, { families, verify: "sizes" });
  const engine = await openWasmWith(program, constants, {});
  const bounds = { maxT: program.maxT, vocabulary: 1 };
  const order = { prompt: [0], limit: 1, seed: 1n, temperature: 0, minP: 0 };
  const session = engine.open({ request: llamaRequest(order, bounds) });
  const { stage, fold } = manifest.answers[0] as { stage: number; fold: number };
  const want = [{ stage, fold, steps: "last" as const }];
  const read = (count: number) =>
    engine.advance([{ session, steps: count, claimed: [tokenBytes(Array(count).fill(0))], want }]);
  read(steps - 1);
  read(1);
  const figures: MemoryFigures = {
    ...{ bareBytes, usedBytes: engine.usedBytes, sessionBytes: engine.sessionBytes(steps) },
    residentBytes: process.memoryUsage.rss(),
    packageBytes: sizeBytes,
  };
  process.send?.(figures, () => process.disconnect());
});
