import { type FileHandle, open, rm, truncate } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { WorkloadError } from "../errors.ts";
import { sizeOf } from "./knownFile.ts";
import type { StepOptions } from "./progress.ts";

export type DownloadOptions = StepOptions & {
  /** The unfinished file; what is in it is kept when the download breaks, and asked for no more. */
  to: string;
  sizeBytes: number;
  /** How often a broken download is taken up again without a byte having come in between. */
  attempts?: number;
  retryDelayMs?: number;
  /** How long to wait for the next byte. */
  stallMs?: number;
};

/**
 * Downloads a file of known size, going on where an earlier download broke off. Throws `model.unreachable`,
 * `model.http` with the status, `model.stalled`, `model.size`, and whatever the signal was aborted with.
 */
export async function download(url: string, options: DownloadOptions): Promise<void> {
  const { to, sizeBytes, signal, attempts = 4, retryDelayMs = 500 } = options;
  let furthest = 0;
  for (let failed = 0; ; ) {
    const from = await prepare(to, sizeBytes);
    if (from === sizeBytes) return;
    furthest = Math.max(furthest, from);
    try {
      await downloadFrom(url, from, options);
      return;
    } catch (error) {
      signal?.throwIfAborted();
      const isFinal = error instanceof WorkloadError && (error.code === "model.http" || error.code === "model.size");
      failed = ((await sizeOf(to)) ?? 0) > furthest ? 1 : failed + 1;
      if (isFinal || failed >= attempts) throw error;
      await delay(retryDelayMs * 2 ** (failed - 1), undefined, { signal });
    }
  }
}

/** Bytes that are there already. A file that is longer than it may be is begun again. */
async function prepare(path: string, sizeBytes: number): Promise<number> {
  const there = (await sizeOf(path)) ?? 0;
  if (there <= sizeBytes) return there;
  await rm(path);
  return 0;
}

async function downloadFrom(url: string, from: number, options: DownloadOptions): Promise<void> {
  const { to, sizeBytes, signal, onProgress, stallMs = 30_000 } = options;
  const stall = new AbortController();
  const stalled = () =>
    stall.abort(new WorkloadError("model.stalled", `${url} sent nothing for ${stallMs} ms.`, { url, stallMs }));
  let timer = setTimeout(stalled, stallMs);
  let handle: FileHandle | undefined;
  try {
    const response = await request(url, from, AbortSignal.any([stall.signal, ...(signal ? [signal] : [])]));
    const start = response.status === 206 ? from : 0; // a server that knows no ranges begins again
    if (start === 0 && from > 0) await truncate(to, 0);
    handle = await open(to, "a");
    let doneBytes = start;
    for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      clearTimeout(timer);
      timer = setTimeout(stalled, stallMs);
      doneBytes += chunk.length;
      if (doneBytes > sizeBytes) throw wrongSize(url, sizeBytes, `more than ${sizeBytes}`);
      await handle.writeFile(chunk);
      onProgress?.({ step: "download", doneBytes, totalBytes: sizeBytes });
    }
    if (doneBytes < sizeBytes)
      throw new WorkloadError("model.unreachable", `${url} broke off at byte ${doneBytes}.`, { url, doneBytes });
    await handle.sync();
  } catch (cause) {
    if (cause instanceof WorkloadError) throw cause;
    signal?.throwIfAborted();
    throw new WorkloadError("model.unreachable", `${url} cannot be read: ${reasonOf(cause)}.`, { url }, { cause });
  } finally {
    clearTimeout(timer);
    await handle?.close();
  }
}

async function request(url: string, from: number, signal: AbortSignal): Promise<Response> {
  const response = await fetch(url, { signal, headers: from > 0 ? { range: `bytes=${from}-` } : {} });
  const isWhole = response.status === 200;
  const isRest = response.status === 206 && response.headers.get("content-range")?.startsWith(`bytes ${from}-`);
  if (isWhole || isRest) return response;
  await response.body?.cancel();
  const message = `${url} answers with status ${response.status} to a request for bytes from ${from}.`;
  throw new WorkloadError("model.http", message, { url, status: response.status, from });
}

const wrongSize = (url: string, expected: number, got: string): WorkloadError =>
  new WorkloadError("model.size", `${url} sends ${got} bytes, expected ${expected}.`, { url, expected });

/** fetch hides why it failed one level down. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message} (${cause.message || cause.name})` : message;
}
