import { FoldmarkError } from "@foldmark/protocol";
import cors from "cors";
import express, { type Express } from "express";
import helmet from "helmet";
import type { Metrics } from "./metrics.ts";
import { accessLog } from "./middleware/accessLog.ts";
import { clientNetwork } from "./middleware/clientNetwork.ts";
import { callerOf, requestContext } from "./middleware/context.ts";
import { errorHandler } from "./middleware/errorHandler.ts";
import { idempotency } from "./middleware/idempotency.ts";
import { jsonBody } from "./middleware/jsonBody.ts";
import { methodNotAllowed } from "./middleware/methodNotAllowed.ts";
import { rateLimit } from "./middleware/rateLimit.ts";
import { requireApiKey } from "./middleware/requireApiKey.ts";
import { chatCompletionsRoute } from "./routes/chatCompletions.ts";
import { docsRoute } from "./routes/docs.ts";
import { EXPOSED_HEADERS } from "./routes/foldmarkFields.ts";
import { healthRoute } from "./routes/health.ts";
import { metricsRoute } from "./routes/metrics.ts";
import { modelsRoute } from "./routes/models.ts";
import { receiptsRoute } from "./routes/receipts.ts";
import { simulationsRoute } from "./routes/simulations.ts";
import { transparencyRoute } from "./routes/transparency.ts";
import type { GatewayDeps } from "./serving/gateway.ts";

export type AppOptions = {
  corsOrigins: readonly string[];
  trustProxy: number;
  bodyLimitBytes: number;
  requestsPerMinute: number;
  requestsPerMinutePerAddress: number;
};

export type AppDeps = {
  gateway: GatewayDeps;
  metrics: Metrics;
  isDraining: () => boolean;
  chainReadAt: () => number;
  /** Vouchers whose end is not known. */
  unsettled: () => number;
};

/** Assembles the service; it listens to nothing yet. */
export function createApp(options: AppOptions, deps: AppDeps): Express {
  const { gateway, metrics } = deps;
  const { log, tally, now, market, models, db, sealing } = gateway;
  const origin = options.corsOrigins.includes("*") ? "*" : [...options.corsOrigins];
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag"); // answers are made, not fetched
  app.set("trust proxy", options.trustProxy);
  app.use(requestContext(), accessLog({ log, metrics, now }));
  // a gateway without TLS has a page too: its scripts must not be asked for over https
  const contentSecurityPolicy = { directives: { upgradeInsecureRequests: null } };
  app.use(helmet({ contentSecurityPolicy }), cors({ origin, exposedHeaders: EXPOSED_HEADERS, maxAge: 600 }));
  app.use(healthRoute({ ...deps, market, now }), metricsRoute({ ...deps, market }));
  app.use(
    rateLimit({
      requestsPerMinute: options.requestsPerMinutePerAddress,
      keyOf: ({ ip }) => clientNetwork(ip),
      showsHeaders: false,
    }),
  );
  app.use(docsRoute(), modelsRoute({ market, models }), transparencyRoute({ tally, now }));

  const paid = ["/v1/chat", "/v1/simulations", "/v1/receipts"];
  app.use(paid, requireApiKey({ db }));
  app.use(
    paid,
    rateLimit({
      requestsPerMinute: options.requestsPerMinute,
      keyOf: (_request, response) => callerOf(response).keyId,
      showsHeaders: true,
    }),
  );
  const bought = ["/v1/chat/completions", "/v1/simulations"];
  app.post(bought, jsonBody({ limitBytes: options.bodyLimitBytes }), idempotency(gateway));
  app.use(chatCompletionsRoute({ gateway, metrics }), simulationsRoute({ gateway }), receiptsRoute({ db, sealing }));

  app.use(methodNotAllowed());
  app.use((request) => {
    throw new FoldmarkError("request.not_found", `Unknown request URL: ${request.method} ${request.path}.`, {
      hint: "The services are listed at /docs.",
    });
  });
  app.use(errorHandler({ log, tally }));
  return app;
}
