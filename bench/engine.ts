import { mkdtemp, rm } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import path from "node:path";
import { type Engine, openWasm, type Session } from "@foldmark/machine";
import { families, importGguf, llamaRequest, openPackage, tokenBytes } from "@foldmark/workloads";
import type { BenchOptions } from "./main.ts";
import { type BenchModel, benchModel } from "./model.ts";
import { benchQuality } from "./quality.ts";

const ROUNDS = 3;
const DECODE_AT = [32, 256, 1_000];
const DECODED = 16;
const PREFILLS = [64, 256, 512];

/** Speed of the default model in CPU time, medians of rounds; with `--text` its perplexity too. */
export async function benchEngine(options: BenchOptions): Promise<Record<string, unknown>> {
  const model = await benchModel(options);
  const { convertSeconds, packageBytes } = await convert(model.path);
  const opening = performance.now();
  const engine = await openWasm(model.program.program, (index) => model.constants[index] ?? new Uint8Array());
  const openSeconds = (performance.now() - opening) / 1000;
  const decode: Record<string, number> = {};
  const prefill: Record<string, number> = {};
  for (const position of DECODE_AT) decode[position] = median(() => decodeAt(engine, model, position));
  for (const length of PREFILLS) prefill[length] = median(() => prefillOf(engine, model, length));
  engine.close();
  return {
    cpu: cpus()[0]?.model ?? "unknown",
    node: process.version,
    rounds: ROUNDS,
    convertSeconds,
    packageBytes,
    openSeconds,
    decodeTokensPerSecond: decode,
    prefillTokensPerSecond: prefill,
    ...(options.text !== undefined && { quality: await benchQuality(options) }),
  };
}

/** From the GGUF file to a package on disk, every byte hashed. */
async function convert(gguf: string): Promise<{ convertSeconds: number; packageBytes: number }> {
  const folder = await mkdtemp(path.join(tmpdir(), "foldmark-bench-"));
  try {
    const dir = path.join(folder, "package");
    const start = performance.now();
    await importGguf(gguf, { dir });
    const convertSeconds = (performance.now() - start) / 1000;
    return { convertSeconds, packageBytes: (await openPackage(dir, { families, verify: "sizes" })).sizeBytes };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function decodeAt(engine: Engine, model: BenchModel, position: number): number {
  const session = opened(engine, model, position);
  const seconds = cpuSeconds(() => {
    for (let i = 0; i < DECODED; i++) step(engine, model, session, [17 + i]);
  });
  session.close();
  return DECODED / seconds;
}

function prefillOf(engine: Engine, model: BenchModel, length: number): number {
  const session = opened(engine, model, 0);
  const seconds = cpuSeconds(() => step(engine, model, session, tokens(length)));
  session.close();
  return length / seconds;
}

function opened(engine: Engine, model: BenchModel, position: number): Session {
  const { maxT } = engine.program;
  const order = { prompt: [1], limit: 1, seed: 1n, temperature: 0, minP: 0 };
  const session = engine.open({ request: llamaRequest(order, { maxT, vocabulary: model.tokenizer.vocabulary }) });
  if (position > 0) step(engine, model, session, tokens(position));
  return session;
}

function step(engine: Engine, { program: { sample } }: BenchModel, session: Session, read: number[]): void {
  const want = [{ stage: sample.stage, fold: sample.fold, steps: "last" as const }];
  engine.advance([{ session, steps: read.length, claimed: [tokenBytes(read)], want }]);
}

/** Any tokens do: the work does not depend on them. */
const tokens = (count: number) => Array.from({ length: count }, (_, i) => (i * 7_919) % 40_000);

function median(measure: () => number): number {
  measure(); // warm
  const values = Array.from({ length: ROUNDS }, measure).sort((a, b) => a - b);
  return values[Math.floor(ROUNDS / 2)] ?? 0;
}

function cpuSeconds(work: () => void): number {
  const start = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}
