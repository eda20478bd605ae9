import { errorRow, FoldmarkError, openAiError } from "@foldmark/protocol";
import type { ErrorRequestHandler } from "express";
import type { Logger } from "pino";
import type { Tally } from "../serving/tally.ts";
import { requestIdOf, setErrorCode } from "./context.ts";

/** Codes after which the same request may well succeed elsewhere or later. */
const RETRY_AFTER_SECONDS = 2;

/** Turns whatever was thrown into OpenAI's error object with the right status. What has no code is a bug, and is logged. */
export function errorHandler({ log, tally }: { log: Logger; tally: Tally }): ErrorRequestHandler {
  return (thrown: unknown, _request, response, next) => {
    const error = ofBody(thrown);
    const { status } = errorRow(error);
    const body = apiError(error);
    setErrorCode(response, body.error.code);
    tally.add({ name: "refusal", label: body.error.code });
    if (status >= 500)
      log.error({ requestId: requestIdOf(response), code: body.error.code, err: error }, "request failed");
    if (response.headersSent) return next(error);
    if (status === 503) response.setHeader("retry-after", RETRY_AFTER_SECONDS);
    // 402 and every other refusal of the caller's own making: trying again would change nothing
    if (status < 500 && status !== 429) response.setHeader("x-should-retry", "false");
    response.status(status).json(body);
  };
}

/** OpenAI's error object; of our own values only those that are the caller's business. */
export function apiError(error: unknown) {
  const body = openAiError(error);
  if (!(error instanceof FoldmarkError)) return body;
  const { providers, position } = error.details;
  return {
    error: {
      ...body.error,
      ...(providers !== undefined && { providers }),
      ...(position !== undefined && { position }),
    },
  };
}

/** What the body parser throws, in our own codes. */
function ofBody(thrown: unknown): unknown {
  const type = (thrown as { type?: unknown } | null)?.type;
  switch (type) {
    case "entity.too.large":
      return new FoldmarkError("request.too_large", "The body is larger than this gateway takes.", { cause: thrown });
    case "encoding.unsupported":
      return new FoldmarkError("request.content_type", "The body must not be compressed.", { cause: thrown });
    case "request.aborted":
    case "request.size.invalid":
      return new FoldmarkError("request.cancelled", "The body ended too early.", { cause: thrown });
    default:
      return thrown instanceof URIError
        ? new FoldmarkError("request.not_found", "There is no such path.", { cause: thrown })
        : thrown;
  }
}
