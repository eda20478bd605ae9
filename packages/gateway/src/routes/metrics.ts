import { Router } from "express";
import type { Market } from "../market/market.ts";
import type { Metrics } from "../metrics.ts";

export type MetricsDeps = { metrics: Metrics; market: Pick<Market, "head">; unsettled: () => number };

/** `GET /metrics` for Prometheus. */
export function metricsRoute({ metrics, market, unsettled }: MetricsDeps): Router {
  const router = Router();
  router.get("/metrics", async (_request, response) => {
    metrics.head.set(Number(market.head()?.number ?? 0n));
    metrics.unsettled.set(unsettled());
    response.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  });
  return router;
}
