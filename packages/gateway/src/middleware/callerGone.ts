import type { Response } from "express";

/** Aborts when the client's socket closes before the answer has been sent. */
export function callerGone(response: Response): AbortSignal {
  const gone = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) gone.abort();
  });
  return gone.signal;
}
