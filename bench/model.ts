import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import {
  convertLlama,
  defaultCacheDir,
  fetchDefaultModel,
  ggufLlama,
  knownMaxima,
  type LlamaProgram,
  type LlamaSource,
  llamaProgram,
  openGguf,
  openTokenizer,
  type Tokenizer,
  tokenizerFromGguf,
} from "@foldmark/workloads";
import type { BenchOptions } from "./main.ts";

export type BenchModel = {
  sha256: string;
  source: LlamaSource;
  tokenizer: Tokenizer;
  program: LlamaProgram;
  constants: Uint8Array[];
  stopIds: number[];
  /** The GGUF file. */
  path: string;
};

const STOP_IDS = [2, 0];

/** The default model's GGUF file, or that of `--gguf`. */
export async function benchFile({
  gguf,
  cache,
}: Pick<BenchOptions, "gguf" | "cache">): Promise<{ path: string; sha256: string }> {
  const { path } = await fetchDefaultModel({
    cacheDir: cache ?? defaultCacheDir(process.env),
    ...(gguf !== undefined && { file: gguf }),
  });
  const sha256 = createHash("sha256")
    .update(await readFile(path))
    .digest("hex");
  return { path, sha256 };
}

/** The model of that file, converted in memory with its committed maxima. */
export async function benchModel(options: Pick<BenchOptions, "gguf" | "cache">): Promise<BenchModel> {
  const { path, sha256 } = await benchFile(options);
  const file = await openGguf(path);
  const source = ggufLlama(file);
  const maxima = await knownMaxima(sha256, source.shape);
  if (!maxima) throw new Error(`${path} has no committed maxima`);
  const constants: Uint8Array[] = [];
  const configuration = await convertLlama(source, maxima, {
    maxT: 2_048,
    stopIds: STOP_IDS,
    write: ({ bytes }) => {
      constants.push(bytes);
    },
  });
  return {
    sha256,
    source,
    tokenizer: openTokenizer(tokenizerFromGguf(file.metadata)),
    program: llamaProgram(configuration),
    constants,
    stopIds: STOP_IDS,
    path,
  };
}
