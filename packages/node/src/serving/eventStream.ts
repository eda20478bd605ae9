import { openEventStream } from "@foldmark/service";
import type { Response } from "express";

/** How often a comment is sent while nothing else is: proxies close what is silent for longer. */
const KEEP_ALIVE_MS = 5_000;

/**
 * The events of one answer, in the order of the calls. Nothing waits for a slow reader: an answer is never longer than a
 * model's context, so what piles up is small. Comments keep a silent stream alive until it ends.
 */
export type AnswerStream = { send(event: string, data: unknown): void; end(): void };

export function openAnswerStream(response: Response, { keepAliveMs = KEEP_ALIVE_MS } = {}): AnswerStream {
  const stream = openEventStream(response);
  const timer = setInterval(() => void stream.comment("waiting"), keepAliveMs);
  response.once("close", () => clearInterval(timer));
  return {
    send(event, data) {
      timer.refresh();
      void stream.send(data, { event });
    },
    end() {
      clearInterval(timer);
      void stream.end();
    },
  };
}
