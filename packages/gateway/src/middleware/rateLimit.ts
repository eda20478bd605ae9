import { FoldmarkError } from "@foldmark/protocol";
import type { Request, RequestHandler, Response } from "express";
import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";

export type RateLimitOptions = {
  requestsPerMinute: number;
  /** Whom a request counts against: an address, or an account. */
  keyOf: (request: Request, response: Response) => string;
  /** Whether clients see how much is left; of two limits only the caller's own. */
  showsHeaders: boolean;
};

/** At most so many requests a minute. @throws `rate.limited` */
export function rateLimit({ requestsPerMinute, keyOf, showsHeaders }: RateLimitOptions): RequestHandler {
  const limiter = new RateLimiterMemory({ points: requestsPerMinute, duration: 60 });
  return async (request, response, next) => {
    const outcome = await limiter.consume(keyOf(request, response)).catch((refused: unknown) => {
      if (refused instanceof RateLimiterRes) return refused;
      throw refused;
    });
    const resetMs = Math.max(0, outcome.msBeforeNext);
    if (showsHeaders) {
      response.setHeader("x-ratelimit-limit-requests", requestsPerMinute);
      response.setHeader("x-ratelimit-remaining-requests", Math.max(0, outcome.remainingPoints));
      response.setHeader("x-ratelimit-reset-requests", `${Math.ceil(resetMs / 1000)}s`);
    }
    if (outcome.consumedPoints > requestsPerMinute) {
      response.setHeader("retry-after", Math.max(1, Math.ceil(resetMs / 1000)));
      response.setHeader("retry-after-ms", resetMs);
      throw new FoldmarkError("rate.limited", `At most ${requestsPerMinute} requests a minute are taken.`);
    }
    next();
  };
}
