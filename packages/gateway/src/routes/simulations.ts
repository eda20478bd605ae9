import { bodyHashOf } from "@foldmark/protocol";
import { Router } from "express";
import { callerOf, requestIdOf } from "../middleware/context.ts";
import { jsonOf, rawBodyOf } from "../middleware/jsonBody.ts";
import { findModel } from "../models/findModel.ts";
import { parseRequest } from "../schemas/parseRequest.ts";
import { PRICE_CAP_HEADER, parsePriceCap } from "../schemas/priceCap.ts";
import { simulationRequest } from "../schemas/simulationRequest.ts";
import { answerSimulation } from "../serving/answerSimulation.ts";
import type { GatewayDeps } from "../serving/gateway.ts";
import { randomSeed } from "../serving/prepareChat.ts";
import { foldmarkFields, foldmarkHeaders, RECEIPT_HEADER } from "./foldmarkFields.ts";

/** `POST /v1/simulations`: a price with its standard error, from as many paths as were asked for. */
export function simulationsRoute({ gateway }: { gateway: GatewayDeps }): Router {
  const router = Router();
  router.post("/v1/simulations", async (request, response) => {
    const created = Math.floor(gateway.now() / 1000);
    const body = parseRequest(simulationRequest, jsonOf(request));
    const cap = parsePriceCap(request.get(PRICE_CAP_HEADER), { kind: "simulation" });
    const named = findModel(body.model, "simulation", gateway);
    const { parameters, paths } = body;
    const seed = typeof body.seed === "number" ? BigInt(body.seed) : randomSeed();
    const { tensors, T } = named.model.request({ parameters, paths, seed });
    gateway.tally.add({ name: "request", label: named.model.asset });
    const id = `sim-${requestIdOf(response).slice("req_".length)}`;
    const call = { requestId: id, caller: callerOf(response), bodyHash: bodyHashOf(rawBodyOf(request)), cap };
    const job = { model: named.model, request: tensors, T };
    const answer = await answerSimulation({ call, named, job, seedByGateway: typeof body.seed !== "number" }, gateway);
    const { price, standardError } = named.model.result(answer.receipt.claimed, parameters);
    response.set(foldmarkHeaders(answer)).json({
      id,
      object: "simulation",
      created,
      model: body.model,
      parameters,
      paths,
      price,
      standard_error: standardError,
      usage: { steps: T },
      x_foldmark: foldmarkFields({ ...answer, seed, isFull: request.get(RECEIPT_HEADER)?.toLowerCase() === "full" }),
    });
  });
  return router;
}
