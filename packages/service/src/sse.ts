import { once } from "node:events";
import type { ServerResponse } from "node:http";

/** Headers of an event stream that proxies neither buffer nor compress. */
export const EVENT_STREAM_HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-cache, no-transform",
  "x-accel-buffering": "no",
  connection: "keep-alive",
} as const;

/** Writes server-sent events; each call waits while the client reads slower than we write. */
export type EventStream = {
  /** False as soon as the client's socket has closed: what is written then goes nowhere. */
  readonly isOpen: boolean;
  /** One event; without a name it is a plain `data:` line. Data is written as JSON unless it is text. */
  send(data: unknown, options?: { event?: string; id?: string }): Promise<void>;
  /** A comment: keeps a connection alive, and every client ignores it. */
  comment(text: string): Promise<void>;
  /** Ends the response. */
  end(): Promise<void>;
};

/** Sends status and headers at once, so that the client knows that it is being served. */
export function openEventStream(
  response: ServerResponse,
  { headers = {}, status = 200 }: { headers?: Record<string, string>; status?: number } = {},
): EventStream {
  response.writeHead(status, { ...EVENT_STREAM_HEADERS, ...headers });
  response.flushHeaders();
  response.socket?.setNoDelay(true);

  const isOpen = () => !response.destroyed && !response.writableEnded;
  async function write(text: string): Promise<void> {
    if (!isOpen() || response.write(text)) return;
    const waiting = new AbortController();
    const { signal } = waiting;
    try {
      await Promise.race([once(response, "drain", { signal }), once(response, "close", { signal })]);
    } finally {
      waiting.abort();
    }
  }

  return {
    get isOpen() {
      return isOpen();
    },
    send(data, { event, id } = {}) {
      const text = typeof data === "string" ? data : JSON.stringify(data);
      const lines = text
        .split(/\r\n|\r|\n/)
        .map((line) => `data: ${line}\n`)
        .join("");
      return write(`${event ? `event: ${oneLine(event)}\n` : ""}${id ? `id: ${oneLine(id)}\n` : ""}${lines}\n`);
    },
    comment: (text) => write(`: ${oneLine(text)}\n\n`),
    async end() {
      if (!isOpen()) return;
      const finished = Promise.race([once(response, "finish"), once(response, "close")]);
      response.end();
      await finished;
    },
  };
}

function oneLine(text: string): string {
  return text.replace(/[\r\n]+/g, " ");
}
