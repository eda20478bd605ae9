import { Router } from "express";
import type { Market } from "../market/market.ts";

export type HealthDeps = {
  market: Pick<Market, "head">;
  isDraining: () => boolean;
  /** When the chain was read last without an error, unix milliseconds. */
  chainReadAt: () => number;
  now: () => number;
};

/** Without a look at the chain for this long, prices and stakes are guesses. */
const CHAIN_STALE_MS = 60_000;

/** `GET /health`: 200 while requests are taken; 503 while starting, draining, or cut off from the chain. */
export function healthRoute({ market, isDraining, chainReadAt, now }: HealthDeps): Router {
  const router = Router();
  router.get("/health", (_request, response) => {
    const head = market.head();
    const status = isDraining()
      ? "draining"
      : head === undefined
        ? "starting"
        : now() - chainReadAt() > CHAIN_STALE_MS
          ? "chain_unreachable"
          : "ok";
    response
      .status(status === "ok" ? 200 : 503)
      .set("cache-control", "no-store")
      .json({ status, ...(head && { block: Number(head.number) }) });
  });
  return router;
}
