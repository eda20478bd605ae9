import { createWriteStream } from "node:fs";
import { mkdir, rm, stat, statfs, writeFile } from "node:fs/promises";
import path from "node:path";
import { Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { FoldmarkError } from "@foldmark/protocol";
import {
  decodeManifest,
  families,
  MANIFEST_FILE,
  MAX_MANIFEST_BYTES,
  type ModelPackage,
  moveIntoPlace,
  openPackage,
  refuseOtherFolder,
} from "@foldmark/workloads";

export type DownloadPackageOptions = {
  /** Folder that the package becomes; what has arrived of it waits beside it between tries. */
  dir: string;
  onProgress?(doneBytes: number, totalBytes: number): void;
};

/** A source that sends nothing for so long is given up. */
const SILENCE_MS = 20_000;
const TRIES = 3;

/**
 * Fetches a package from wherever its files are, goes on where a break left it, and checks every hash before it takes its
 * name. Nothing that does not fit its manifest stays, and a folder that holds other things than a package is not touched.
 * @throws `download.failed`, `package.*`
 */
export async function downloadPackage(url: string, { dir, onProgress }: DownloadPackageOptions): Promise<ModelPackage> {
  await refuseOtherFolder(dir);
  const part = `${dir}.part`;
  await mkdir(part, { recursive: true });
  const manifestBytes = await fetchSmall(fileUrl(url, MANIFEST_FILE));
  const manifest = decodeManifest(manifestBytes, fileUrl(url, MANIFEST_FILE));
  await writeFile(path.join(part, MANIFEST_FILE), manifestBytes);
  const files = Object.entries(manifest.files).map(([name, file]) => ({ name, sizeBytes: file?.sizeBytes ?? 0 }));
  const total = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const there = await Promise.all(files.map(({ name }) => sizeOf(path.join(part, name))));
  await checkSpace(part, { url, missing: total - there.reduce((sum, size) => sum + size, 0) });
  let before = 0;
  for (const { name, sizeBytes } of files) {
    const done = before;
    await fetchFile(fileUrl(url, name), {
      ...{ to: path.join(part, name), sizeBytes },
      onProgress: (bytes) => onProgress?.(done + bytes, total),
    });
    before += sizeBytes;
  }
  try {
    await openPackage(part, { families, verify: "roots" });
  } catch (error) {
    await rm(part, { recursive: true, force: true });
    throw error;
  }
  await moveIntoPlace(part, dir);
  return openPackage(dir, { families, verify: "once" });
}

const fileUrl = (url: string, name: string): string => `${url.replace(/\/+$/, "")}/${name}`;

async function fetchSmall(url: string): Promise<Uint8Array> {
  const { body } = await request(url, { signal: AbortSignal.timeout(SILENCE_MS) });
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_MANIFEST_BYTES) throw failed(url, `a manifest has at most ${MAX_MANIFEST_BYTES} bytes`);
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

type FileOptions = { to: string; sizeBytes: number; onProgress(bytes: number): void };

async function fetchFile(url: string, options: FileOptions): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await fetchRest(url, options);
      return;
    } catch (error) {
      if (tries === TRIES) throw error instanceof FoldmarkError ? error : failed(url, reasonOf(error), error);
    }
  }
}

/** Appends what is missing of a file. */
async function fetchRest(url: string, { to, sizeBytes, onProgress }: FileOptions): Promise<void> {
  const has = await sizeOf(to);
  if (has > sizeBytes) await rm(to);
  if (has === sizeBytes) {
    onProgress(sizeBytes);
    return;
  }
  using watchdog = startWatchdog(SILENCE_MS);
  const headers: Record<string, string> = has > 0 && has < sizeBytes ? { range: `bytes=${has}-` } : {};
  const response = await request(url, { headers, signal: watchdog.signal });
  const isRest = response.status === 206;
  let done = isRest ? has : 0;
  const counted = new Transform({
    transform(chunk: Uint8Array, _encoding, next) {
      watchdog.feed();
      done += chunk.length;
      onProgress(Math.min(done, sizeBytes));
      next(done > sizeBytes ? failed(url, `it is longer than the ${sizeBytes} bytes of its manifest`) : null, chunk);
    },
  });
  const body = response.body ? Readable.fromWeb(response.body) : Readable.from([]);
  await pipeline(body, counted, createWriteStream(to, { flags: isRest ? "a" : "w" }));
  if (done < sizeBytes) throw failed(url, `it ended after ${done} of ${sizeBytes} bytes`);
}

async function request(url: string, options: RequestInit): Promise<Response> {
  const response = await fetch(url, options).catch((cause) => {
    throw failed(url, reasonOf(cause), cause);
  });
  if (response.ok) return response;
  throw failed(url, `the server answered ${response.status}`);
}

/** Aborts when it has not been fed for so long: a slow source is waited for, a silent one is not. */
function startWatchdog(ms: number): { signal: AbortSignal; feed(): void; [Symbol.dispose](): void } {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new Error(`nothing came for ${ms / 1000} s`)), ms);
  return { signal: controller.signal, feed: () => timer.refresh(), [Symbol.dispose]: () => clearTimeout(timer) };
}

/** A manifest may promise any size: better to know before the disk is full. */
async function checkSpace(folder: string, { url, missing }: { url: string; missing: number }): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  if (missing > bavail * bsize) throw failed(url, `${missing} bytes are missing, and ${bavail * bsize} are free`);
}

const sizeOf = (file: string): Promise<number> =>
  stat(file).then(
    ({ size }) => size,
    () => 0,
  );

const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
};

const failed = (url: string, why: string, cause?: unknown) =>
  new FoldmarkError("download.failed", `${url} could not be fetched: ${why}.`, {
    details: { url },
    hint: "Run the command again: it goes on where it stopped.",
    cause,
  });
