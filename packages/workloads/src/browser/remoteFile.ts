import { WorkloadError } from "../errors.ts";

/** A server that sends nothing for so long is given up. */
const SILENCE_MS = 20_000;
/** How often a file is asked for again without a byte having come in between. */
const TRIES = 3;

/** A file over HTTP, read front to back in one stream; a break or a jump asks for the rest by a range. */
export class RemoteFile {
  readonly #url: string;
  readonly #signal: AbortSignal | undefined;
  #stream: Stream | undefined;
  #fetched = 0;

  constructor(url: string, { signal }: { signal?: AbortSignal | undefined }) {
    this.#url = url;
    this.#signal = signal;
  }

  /** Bytes that have come. */
  get fetchedBytes(): number {
    return this.#fetched;
  }

  /**
   * So many bytes from `offset` on, in pieces as they come. With `goesOn` what follows will be read next, and is asked for
   * at once.
   * @throws `download.failed`, and whatever the signal was aborted with
   */
  async *read({ offset, bytes, goesOn = false }: Part): AsyncGenerator<Uint8Array> {
    const end = offset + bytes;
    for (let [at, failed] = [offset, 0]; at < end; ) {
      try {
        const piece = await this.#next(at, { most: end - at, to: goesOn ? undefined : end });
        if (!piece) throw new Error(`it ended after ${at} bytes`);
        yield piece;
        at += piece.length;
        failed = 0;
      } catch (error) {
        this.close();
        this.#signal?.throwIfAborted();
        failed++;
        if (error instanceof Refusal || failed === TRIES) throw this.#failed(error);
      }
    }
  }

  /** All of a short file whose size is not known. @throws `download.failed`, also where it is longer than `most` bytes */
  async whole(most: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(new ArrayBuffer(0, { maxByteLength: most }));
    try {
      for (let piece = await this.#next(0, { most }); piece; piece = await this.#next(bytes.length, { most })) {
        const at = bytes.length;
        if (at + piece.length > most) throw new Refusal(`it has more than ${most} bytes`);
        bytes.buffer.resize(at + piece.length);
        bytes.set(piece, at);
      }
      return bytes.slice();
    } catch (error) {
      this.#signal?.throwIfAborted();
      throw this.#failed(error);
    } finally {
      this.close();
    }
  }

  /** Ends the stream. The file may be read again after it. */
  close(): void {
    this.#stream?.watch.abort();
    this.#stream = undefined;
  }

  /** At most `most` bytes from `at` on; undefined where the file has ended. A new stream ends before byte `to`. */
  async #next(at: number, { most, to }: { most: number; to?: number | undefined }): Promise<Uint8Array | undefined> {
    if (this.#stream?.at !== at) {
      this.close();
      this.#stream = await openStream(this.#url, { at, to, signal: this.#signal });
    }
    const stream = this.#stream;
    while (stream.rest.length === 0) {
      const { value } = await stream.watch.during(() => stream.reader.read());
      if (!value) return undefined;
      this.#fetched += value.length;
      const skipped = Math.min(stream.skip, value.length);
      stream.skip -= skipped;
      stream.rest = value.subarray(skipped);
    }
    const piece = stream.rest.subarray(0, most);
    stream.rest = stream.rest.subarray(piece.length);
    stream.at += piece.length;
    return piece;
  }

  #failed(cause: unknown): WorkloadError {
    const why = cause instanceof Error ? cause.message : String(cause);
    return new WorkloadError(
      "download.failed",
      `${this.#url} could not be fetched: ${why}.`,
      { url: this.#url },
      { cause },
    );
  }
}

export type Part = { offset: number; bytes: number; goesOn?: boolean };

type Stream = {
  reader: ReadableStreamDefaultReader<Uint8Array>;
  watch: Watch;
  /** Where the next byte lies in the file. */
  at: number;
  /** What has come and was not asked for yet. */
  rest: Uint8Array;
  /** Bytes to pass over: a server that knows no ranges begins at the front. */
  skip: number;
};

async function openStream(
  url: string,
  { at, to, signal }: { at: number; to: number | undefined; signal: AbortSignal | undefined },
): Promise<Stream> {
  const watch = startWatch(signal);
  const range = `bytes=${at}-${to === undefined ? "" : to - 1}`;
  // what arrives is stored once, by whoever asked
  const response = await watch.during(() =>
    fetch(url, { headers: { range }, signal: watch.signal, cache: "no-store" }),
  );
  if (!response.ok || !response.body) throw new Refusal(`the server answered ${response.status}`);
  const skip = response.status === 206 ? 0 : at;
  return { reader: response.body.getReader(), watch, at, rest: new Uint8Array(), skip };
}

/** An answer that is the same however often one asks. */
class Refusal extends Error {}

type Watch = { signal: AbortSignal; abort(): void; during<T>(wait: () => Promise<T>): Promise<T> };

/** Aborts a request that is waited for too long, or that nobody wants any more. */
function startWatch(outer: AbortSignal | undefined): Watch {
  const inner = new AbortController();
  return {
    signal: outer ? AbortSignal.any([outer, inner.signal]) : inner.signal,
    abort: () => inner.abort(),
    async during(wait) {
      const silent = new Error(`nothing came for ${SILENCE_MS / 1000} s`);
      const timer = setTimeout(() => inner.abort(silent), SILENCE_MS);
      try {
        return await wait();
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
