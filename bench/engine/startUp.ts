import { openWasm } from "@foldmark/machine";
import { families, importGguf, llamaRequest, openPackage, tokenBytes } from "@foldmark/workloads";

/**
 * From the GGUF file with its committed calibration to a package in `dir`, every byte hashed; and from that package, its
 * files in the system's cache, to the first token of an answer. Seconds of wall time, and what of the latter is CPU time.
 */
export async function startUp(gguf: string, { dir }: { dir: string }) {
  const converting = performance.now();
  await importGguf(gguf, { dir });
  const opening = performance.now();
  const used = process.cpuUsage();
  const { program, constants, manifest, sizeBytes } = await openPackage(dir, { families, verify: "sizes" });
  const engine = await openWasm(program, constants);
  const opened = performance.now();
  const order = { prompt: [1], limit: 1, seed: 1n, temperature: 0, minP: 0 };
  const session = engine.open({ request: llamaRequest(order, { maxT: program.maxT, vocabulary: 2 }) });
  const { stage, fold } = manifest.answers[0] as { stage: number; fold: number };
  engine.advance([{ session, steps: 1, claimed: [tokenBytes([1])], want: [{ stage, fold, steps: "last" }] }]);
  const answered = performance.now();
  const { user, system } = process.cpuUsage(used);
  engine.close();
  return {
    packageBytes: sizeBytes,
    convertSeconds: (opening - converting) / 1_000,
    openSeconds: (opened - opening) / 1_000,
    firstTokenSeconds: (answered - opening) / 1_000,
    firstTokenCpuSeconds: (user + system) / 1e6,
  };
}
