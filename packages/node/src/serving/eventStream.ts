import type { Response } from "express";

/** How often a comment is sent while nothing else is: proxies close what is silent for longer. */
export const KEEP_ALIVE_MS = 5_000;

/** Server-sent events on one response. Headers leave at once; comments keep it alive until `end`. */
export type EventStream = { send(event: string, data: unknown): void; end(): void };

export function openEventStream(response: Response, { keepAliveMs = KEEP_ALIVE_MS } = {}): EventStream {
  response.status(200).set({
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
  });
  response.flushHeaders();
  const timer = setInterval(() => response.write(": waiting\n\n"), keepAliveMs);
  response.once("close", () => clearInterval(timer));
  return {
    send(event, data) {
      timer.refresh();
      if (!response.writableEnded && !response.destroyed)
        response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    },
    end() {
      clearInterval(timer);
      response.end();
    },
  };
}
