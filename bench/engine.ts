import { mkdtemp, rm } from "node:fs/promises";
import { cpus } from "node:os";
import path from "node:path";
import { defaultCacheDir } from "@foldmark/workloads";
import { benchBrowser } from "./browser.ts";
import { againstLlamaCpp } from "./engine/againstLlamaCpp.ts";
import { audit } from "./engine/audit.ts";
import { limits } from "./engine/limits.ts";
import { memory } from "./engine/memory.ts";
import { monteCarlo } from "./engine/monteCarlo.ts";
import { profile, profileTable } from "./engine/profile.ts";
import { report } from "./engine/report.ts";
import { sampling } from "./engine/sampling.ts";
import { signedPath } from "./engine/signedPath.ts";
import { startUp } from "./engine/startUp.ts";
import { openSubject } from "./engine/subject.ts";
import { threads } from "./engine/threads.ts";
import { together } from "./engine/together.ts";
import { q8File } from "./llamaCpp/q8File.ts";
import type { BenchOptions } from "./main.ts";
import { benchModel } from "./model.ts";

/**
 * What the engine does on one thread with the default model, beside what a user would pick instead. Speeds are ratios of
 * CPU time, more than 1 where ours is the faster; milliseconds stand beside them. What this machine cannot measure is null,
 * and `missing` says why.
 */
export async function benchEngine({ rounds = 9, only, ...options }: BenchOptions): Promise<Record<string, unknown>> {
  const cacheDir = path.join(options.cache ?? defaultCacheDir(process.env), "bench");
  await using undo = new AsyncDisposableStack();
  const model = await benchModel(options);
  const subject = await openSubject(model);
  const q8 = await q8File(model.path, { sha256: model.sha256, cacheDir });
  const folder = await mkdtemp(path.join(cacheDir, "engine-"));
  undo.defer(() => rm(folder, { recursive: true, force: true }));
  const dir = path.join(folder, "package");
  const startup = await startUp(model.path, { dir });
  const weights = model.constants.reduce((sum, { length }) => sum + length, 0);

  const missing: Record<string, string> = {};
  async function part<Figures>(name: string, measure: () => Promise<Figures>): Promise<Figures | null> {
    if (only !== undefined && !only.includes(name)) return null;
    process.stderr.write(`${name} ...\n`);
    try {
      return await measure();
    } catch (error) {
      missing[name] = error instanceof Error ? error.message : String(error);
      process.stderr.write(`${name}: ${missing[name]}\n`);
      return null;
    }
  }
  const parts = {
    speed: await part("speed", () => againstLlamaCpp(subject, { q8, cacheDir, rounds })),
    audited: await part("audit", () => audit(subject, rounds)),
    batch: await part("batch", () => together(subject, rounds)),
    sampled: await part("sampling", () => sampling(subject, rounds)),
    signed: await part("signed", () => signedPath(subject, { dir, cacheDir, rounds })),
    held: await part("memory", () => memory(dir)),
    threaded: await part("threads", () => threads(subject, { model, rounds })),
    inBrowser: await part("browser", () => benchBrowser({ packageDir: dir })),
    simulated: await part("monteCarlo", () => monteCarlo({ cacheDir, rounds })),
  };
  const profiled = await part("profile", async () => profile(subject));
  const allowed = await part("limits", () => limits(weights, rounds));
  subject.engine.close();
  process.stderr.write(`\n${report(parts)}\n`);
  if (profiled) process.stderr.write(`\n${profileTable(profiled)}\n`);
  const { speed, audited, batch, sampled, signed, held, threaded, inBrowser, simulated } = parts;
  return {
    ...{ cpu: cpus()[0]?.model ?? "unknown", node: process.version, rounds },
    decode: speed && ratios(speed.decode),
    prefill: speed && ratios(speed.prefill),
    auditOverDecode: audited?.ratio ?? null,
    batch8OverBatch1: batch?.ratio ?? null,
    sampledOverGreedy: sampled?.ratio ?? null,
    signedPathShare: signed?.share ?? null,
    memoryRatio: held?.ratio ?? null,
    browserOverNode: inBrowser?.browserOverNode ?? null,
    threads2Over1: threaded?.ratio ?? null,
    monteCarloOverNumpy: simulated?.ratio ?? null,
    ...{ missing, startup, parts, limits: allowed, profile: profiled },
  };
}

const ratios = (of: Record<string, { ratio: number }>): Record<string, number> =>
  Object.fromEntries(Object.entries(of).map(([at, { ratio }]) => [at, ratio]));
