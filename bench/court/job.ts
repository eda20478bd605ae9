import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { type Job, openWasmWith, type Program, type WasmEngine } from "@foldmark/machine";
import {
  DEFAULT_MODEL,
  defaultCacheDir,
  families,
  fetchDefaultModel,
  generateWhole,
  importGguf,
  llamaRequest,
  type ModelPackage,
  mixedCorpus,
  openPackage,
} from "@foldmark/workloads";
import type { BenchOptions } from "../main.ts";

/** Steps of the job that everything is measured on. */
export const T = 512;
const PROMPT_TOKENS = 416;

/** A true statement of the default model: a real text that it went on with. */
export type BenchJob = {
  /** Folder of the model's package. */
  dir: string;
  program: Program;
  constants: Uint8Array[];
  engine: WasmEngine;
  job: Job;
  seed: bigint;
} & AsyncDisposable;

export async function openJob({ gguf, cache }: BenchOptions): Promise<BenchJob> {
  await using undo = new AsyncDisposableStack();
  const folder = await mkdtemp(path.join(tmpdir(), "foldmark-bench-"));
  undo.defer(() => rm(folder, { recursive: true, force: true }));
  const { path: file } = await fetchDefaultModel({
    cacheDir: cache ?? defaultCacheDir(process.env),
    ...(gguf !== undefined && { file: gguf }),
  });
  const dir = path.join(folder, "package");
  await importGguf(file, { dir, name: DEFAULT_MODEL.name, licence: DEFAULT_MODEL.licence });
  const model = await openPackage(dir, { families, verify: "sizes" });
  const { program } = model;
  const constants = program.constants.map((_, index) => model.constants(index));
  const engine = await openWasmWith(program, (index) => constants[index] ?? new Uint8Array(), {});
  undo.defer(() => engine.close());
  const answered = await answer(model, engine);
  const opened = undo.move();
  return { dir, program, constants, engine, ...answered, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** The first answer, by seed, that goes on to the limit: one that the model ends by itself is shorter. */
async function answer(model: ModelPackage, engine: WasmEngine): Promise<{ job: Job; seed: bigint }> {
  const built = families.get("llama")?.build(model.manifest.family?.configuration);
  if (!built) throw new Error("the package is no Llama");
  const tokenizer = model.tokenizer();
  const text = (await mixedCorpus()).flatMap((part) => (part.kind === "text" ? [part.text] : [])).join("\n\n");
  const prompt = tokenizer.encode(text).slice(0, PROMPT_TOKENS);
  const limit = T - prompt.length;
  const bounds = { maxT: model.program.maxT, vocabulary: tokenizer.vocabulary };
  for (let seed = 1n; ; seed++) {
    const request = llamaRequest({ prompt, limit, seed, temperature: 0.8, minP: 0.05 }, bounds);
    const { claimed, T: length } = generateWhole(engine, { model: built, request, prompt, limit });
    if (length === T) return { job: { T, request, claimed }, seed };
  }
}
