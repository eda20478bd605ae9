import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { openWasm } from "@foldmark/machine";
import { collectMaxima } from "../calibration/collect.ts";
import { type CorpusPart, corpusTokens, mixedCorpus, parseCorpus } from "../calibration/corpus.ts";
import { evaluate } from "../calibration/evaluate.ts";
import { knownMaxima } from "../calibration/knownMaxima.ts";
import { WorkloadError } from "../errors.ts";
import { llamaFamily } from "../families/llama.ts";
import { type GgufFile, openGguf } from "../importers/gguf/file.ts";
import { convertLlama } from "../llama/convert.ts";
import { ggufLlama } from "../llama/ggufSource.ts";
import { llamaProgram } from "../llama/program.ts";
import type { LlamaSource } from "../llama/source.ts";
import type { Json } from "../packages/canonicalJson.ts";
import { PackageWriter, type WrittenPackage } from "../packages/write.ts";
import { tokenizerFromGguf } from "../tokenizers/fromGguf.ts";
import { openTokenizer } from "../tokenizers/tokenizer.ts";
import { spdxOf } from "./licence.ts";
import { knownReport, type Report } from "./report.ts";
import { stopTokens } from "./stopTokens.ts";

export type ImportStep = "hash" | "calibrate" | "convert" | "evaluate" | "write";

export type ImportOptions = {
  /** Folder of the package; what was there before is replaced when the new one is whole. */
  dir: string;
  /** By default the file's own name and licence. */
  name?: string;
  licence?: string;
  /** A text of the kind that the model will be asked about. By default the mixed text that comes with this package. */
  calibration?: string;
  /** For a file that brings no chat template. */
  template?: string;
  /** Longest job, at most the model's context. */
  maxT?: number;
  onProgress?(progress: { step: ImportStep; done: number; total: number }): void;
};

export const DEFAULT_MAX_T = 2_048;
/** Every fifth sequence of the calibration text is kept for the evaluation. */
const HELD_OUT = 5;
const EVALUATED_TOKENS = 1_024;

/**
 * Converts a GGUF file to a model package: header first, then calibration, conversion, evaluation. Files whose maxima are
 * committed give the same package on every machine; others are calibrated here, in float32.
 * @throws `gguf.*`, `tokenizer.*`, `llama.*`, `calibration.*`, `package.*`, `import.no_template`, `import.no_licence`
 */
export async function importGguf(path: string, options: ImportOptions): Promise<WrittenPackage> {
  const { dir, onProgress } = options;
  const progress = (step: ImportStep) => (done: number, total: number) => onProgress?.({ step, done, total });
  await using file = await openGguf(path);
  const source = ggufLlama(file);
  const tokenizer = tokenizerFromGguf(file.metadata);
  const name = options.name ?? textOf(file, "general.name") ?? "model";
  const licence = spdxOf(options.licence ?? textOf(file, "general.license") ?? "");
  const template = options.template ?? textOf(file, "tokenizer.chat_template");
  if (template === undefined) throw missing(file, "template", "chat template", "--template FILE");
  if (licence === undefined) throw missing(file, "licence", "licence", "--licence SPDX");

  const sha256 = await hashOf(file, progress("hash"));
  const committed = options.calibration === undefined ? await knownMaxima(sha256, source.shape) : undefined;
  const parts: CorpusPart[] =
    options.calibration === undefined ? await mixedCorpus() : parseCorpus(options.calibration);
  const sequences = corpusTokens(parts, { tokenizer: openTokenizer(tokenizer), template });
  const isHeldOut = (_: number[], i: number) => i % HELD_OUT === HELD_OUT - 1;
  const calibrating = sequences.filter((tokens, i) => !isHeldOut(tokens, i));
  const maxima = committed ?? (await collectMaxima(source, calibrating, { progress: progress("calibrate") }));

  await using writer = await PackageWriter.open(dir);
  const maxT = Math.min(options.maxT ?? DEFAULT_MAX_T, source.shape.context);
  const configuration = await convertLlama(source, maxima, {
    maxT,
    stopIds: stopTokens(file.metadata, tokenizer),
    write: ({ bytes }) => writer.constant(bytes),
    progress: progress("convert"),
  });
  const built = llamaFamily.build(configuration);
  const program = llamaProgram(configuration);
  const report =
    (committed && (await knownReport(sha256))) ??
    (await evaluated({
      source,
      writer,
      program,
      sequences: sequences.filter(isHeldOut),
      onProgress: progress("evaluate"),
    }));
  progress("write")(0, 1);
  const written = await writer.finish({
    name,
    licence,
    family: { name: llamaFamily.name, configuration: configuration as unknown as Json },
    built,
    chat: { tokenizer, template },
    report: { source: { sha256, fileName: path.replace(/^.*[\\/]/, "") }, calibrationTokens: maxima.tokens, ...report },
  });
  progress("write")(1, 1);
  return written;
}

type Evaluated = {
  source: LlamaSource;
  writer: PackageWriter;
  program: ReturnType<typeof llamaProgram>;
  sequences: number[][];
  onProgress(done: number, total: number): void;
};

/** Compares integers with float32 on text that was not calibrated with, a little of it: the report says how much. */
async function evaluated({ source, writer, program, sequences, onProgress }: Evaluated): Promise<Report> {
  const engine = await openWasm(program.program, writer.constants(program.program));
  try {
    const { saturation, ...figures } = await evaluate({
      source,
      engine,
      program,
      sequences: firstTokens(sequences, EVALUATED_TOKENS).filter((tokens) => tokens.length > 1),
      progress: onProgress,
    });
    return { text: "held-out part of the calibration text", ...figures, saturation };
  } finally {
    engine.close();
  }
}

function firstTokens(sequences: number[][], count: number): number[][] {
  let left = count;
  return sequences.map((tokens) => {
    const taken = tokens.slice(0, left);
    left -= taken.length;
    return taken;
  });
}

async function hashOf({ path, sizeBytes }: GgufFile, progress: (done: number, total: number) => void): Promise<string> {
  const hash = createHash("sha256");
  let done = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 4 << 20 })) {
    hash.update(chunk as Uint8Array);
    done += (chunk as Uint8Array).length;
    progress(done, sizeBytes);
  }
  return hash.digest("hex");
}

const textOf = ({ metadata }: GgufFile, key: string): string | undefined =>
  metadata.has(key) ? metadata.string(key) : undefined;

const missing = ({ path }: GgufFile, what: string, name: string, flag: string) =>
  new WorkloadError(`import.no_${what}`, `${path} names no ${name}; give one with ${flag}.`, { file: path });
