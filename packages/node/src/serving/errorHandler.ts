import { codeOf, FoldmarkError } from "@foldmark/protocol";
import type { ErrorRequestHandler, RequestHandler } from "express";
import type { Logger } from "pino";
import { refusalResponse } from "./refusal.ts";
import type { ServingWatch } from "./servingWatch.ts";

/** Turns whatever a route threw into a refusal. A bug is logged with its stack, and told without. */
export function errorHandler({ log, watch }: { log: Logger; watch: ServingWatch }): ErrorRequestHandler {
  return (thrown, _request, response, next) => {
    if (response.headersSent) {
      next(thrown);
      return;
    }
    const error = fromBodyParser(thrown);
    watch.refused(codeOf(error));
    if (codeOf(error) === "internal.bug") log.error({ err: error }, "a request failed by a bug");
    const { status, headers, body } = refusalResponse(error);
    response.status(status).set(headers).json(body);
  };
}

export const notFound: RequestHandler = (request) => {
  throw new FoldmarkError("request.not_found", `There is no ${request.method} ${request.path}.`);
};

/** express's body parser has errors of its own, with a `type`. */
function fromBodyParser(thrown: unknown): unknown {
  if (!(thrown instanceof Error) || !("type" in thrown)) return thrown;
  if (thrown.type === "entity.too.large")
    return new FoldmarkError("request.too_large", "The body is larger than any request of this node's models.", {
      details: "limit" in thrown ? { limitBytes: Number(thrown.limit) } : {},
    });
  return new FoldmarkError("request.invalid", "The body is not valid JSON.", { details: { fields: ["body"] } });
}
