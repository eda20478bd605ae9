import { FoldmarkError, toDecimalString } from "@foldmark/protocol";
import { Router } from "express";
import type OpenAI from "openai";
import type { Market, RegisteredModel } from "../market/market.ts";
import type { ServedModels } from "../models/openModels.ts";
import type { ServedModel } from "../models/servedModel.ts";

type Deps = { market: Market; models: ServedModels };

/** `GET /v1/models` and `GET /v1/models/{id}`: registered models whose package this gateway holds. Open to everybody. */
export function modelsRoute({ market, models }: Deps): Router {
  const router = Router();
  const served = () =>
    market.models().flatMap((registered) => {
      const model = models.get(registered.asset);
      return model ? [{ registered, model }] : [];
    });

  router.get("/v1/models", async (_request, response) => {
    const data = await Promise.all(served().map((found) => describe(found, market)));
    response.json({ object: "list", data });
  });

  router.get("/v1/models/:model", async (request, response) => {
    const name = request.params.model;
    const asset = market.resolve(name)?.model.asset;
    const found = served().find(({ registered }) => registered.asset === asset);
    if (!found)
      throw new FoldmarkError("model.unknown", `The model '${name}' does not exist.`, { details: { param: "model" } });
    response.json({ ...(await describe(found, market)), id: name });
  });
  return router;
}

async function describe({ registered, model }: { registered: RegisteredModel; model: ServedModel }, market: Market) {
  const { asset, modelId, packageHash, owner } = registered;
  const { candidates } = await market.state(asset);
  return {
    id: market.aliasOf(asset) ?? asset,
    object: "model",
    created: await market.timeOf(registered.block),
    owned_by: owner,
    x_foldmark: {
      asset,
      model_id: modelId,
      package_hash: packageHash,
      kind: model.kind,
      /** Tokens of prompt and answer together, or steps. */
      context: model.maxT,
      assurance: "exact",
      offers: candidates.map(({ provider, prices, isPaused, conductEvents }) => ({
        provider,
        prices: {
          in: toDecimalString(prices.in),
          out: toDecimalString(prices.out),
          unit: toDecimalString(prices.unit),
        },
        paused: isPaused,
        conduct_events: conductEvents,
      })),
    },
  } satisfies OpenAI.Model & { x_foldmark: unknown };
}
