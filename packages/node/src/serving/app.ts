import express, { type Express, type Router } from "express";
import type { Logger } from "pino";
import type { Registry } from "prom-client";
import type { ServedModel } from "../engine/answerEngine.ts";
import { type AnswersRouteDeps, answersRoute } from "./answersRoute.ts";
import { errorHandler, notFound } from "./errorHandler.ts";
import { type Health, healthRoute } from "./healthRoute.ts";
import { nodeRoute } from "./nodeRoute.ts";
import { packagesRoute } from "./packagesRoute.ts";
import { storedAnswersRoute } from "./storedAnswersRoute.ts";

export type AppDeps = Omit<AnswersRouteDeps, "checkOpen"> & {
  log: Logger;
  metrics: Registry;
  operator: AnswersRouteDeps["payee"];
  health(): Health;
  checkOpen(): void;
  /** What a node serves besides, before its own routes. */
  routes?: readonly Router[];
};

/** Everything that a provider answers over HTTP. Assembles only: `node.ts` listens. */
export function nodeApp(deps: AppDeps): Express {
  const { domain, payee, operator, ledger, market, models, scheduler, metrics, log, watch } = deps;
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  app.use(healthRoute(deps.health));
  app.get("/metrics", async (_request, response) => {
    response.type(metrics.contentType).send(await metrics.metrics());
  });
  app.use(
    nodeRoute({
      ...{ instance: ledger.instance, payee, operator, chainId: domain.chainId, channels: domain.verifyingContract },
      ...{ models: models.values(), prices: market.prices, scheduler },
      isDraining: () => deps.health() === "draining",
    }),
  );
  app.use(packagesRoute(models.values()));
  for (const route of deps.routes ?? []) app.use(route);
  app.use(express.json({ limit: bodyLimitBytes(models.values()) }));
  app.use(answersRoute(deps));
  app.use(storedAnswersRoute(deps));
  app.use(notFound);
  app.use(errorHandler({ log, watch }));
  return app;
}

/** A prompt of i32 in base64 and a hint of as many tokens in decimal, for the longest context; 64 KiB for the rest. */
function bodyLimitBytes(models: Iterable<ServedModel>): number {
  const context = Math.max(0, ...[...models].map((model) => model.context));
  return context * (6 + 12) + 65_536;
}
