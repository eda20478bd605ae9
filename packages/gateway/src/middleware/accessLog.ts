import type { RequestHandler } from "express";
import type { Logger } from "pino";
import type { Metrics } from "../metrics.ts";
import { errorCodeOf, findCallerOf, requestIdOf } from "./context.ts";

/** One line and one sample for each request: who, which route, how it ended. Never a body, a query or a header. */
export function accessLog({ log, metrics, now }: { log: Logger; metrics: Metrics; now: () => number }): RequestHandler {
  return (request, response, next) => {
    const startedAt = now();
    response.once("close", () => {
      const seconds = (now() - startedAt) / 1000;
      const route = typeof request.route?.path === "string" ? request.route.path : "none";
      const status = response.writableFinished ? response.statusCode : 499;
      metrics.requestSeconds.observe({ method: request.method, route, status }, seconds);
      log.info(
        {
          requestId: requestIdOf(response),
          method: request.method,
          route,
          status,
          seconds,
          keyId: findCallerOf(response)?.keyId,
          code: errorCodeOf(response),
        },
        "request",
      );
    });
    next();
  };
}
