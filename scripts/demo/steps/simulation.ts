import { parseReceipt, type ReceiptJson } from "@foldmark/protocol";
import { blackScholes } from "@foldmark/workloads";
import { z } from "zod";
import { checkAnswer, findingLines, openEngine } from "../check.ts";
import { need, type Stage } from "../stage.ts";
import type { StepResult } from "../story.ts";
import type { Progress } from "../terminal.ts";
import { dollars, SIMULATION_ALIAS } from "./model.ts";
import { nameOf } from "./service.ts";

const OPTION = { rate: 0.03, volatility: 0.2, maturity: 1, strike: 105, spot: 100 };
const PATHS = 2 ** 18;
/** A fair price lies farther from the closed form once in 16,000 orders. */
const MOST_ERRORS = 4;

const answerShape = z.looseObject({
  price: z.number(),
  standard_error: z.number(),
  x_foldmark: z.looseObject({ price: z.string(), provider: z.string(), receipt: z.looseObject({}) }),
});

/** A European option priced by the same machine, ordered through the gateway and checked like a chat. */
export async function simulationStep(stage: Stage, progress: Progress): Promise<StepResult> {
  const { url, apiKey } = need(stage, "gateway");
  progress.say(`pricing with ${PATHS.toLocaleString("en")} paths`);
  const body = JSON.stringify({ model: SIMULATION_ALIAS, parameters: OPTION, paths: PATHS, seed: 2026 });
  const start = performance.now();
  const response = await fetch(`${url}/v1/simulations`, {
    method: "POST",
    headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json", "x-foldmark-receipt": "full" },
    body,
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`the gateway answered ${response.status}: ${text}`);
  const { price, standard_error: standardError, x_foldmark: beside } = answerShape.parse(JSON.parse(text));
  const seconds = (performance.now() - start) / 1000;
  const json = beside.receipt as unknown as ReceiptJson;
  const served = { body, text, receipt: parseReceipt(json), json };
  stage.answers.push(served);

  progress.say("checking the answer");
  const model = need(stage, "simulation");
  const engine = await openEngine(model);
  const verification = await checkAnswer(stage, served, { model, engine }).finally(() => engine.close());
  if (!verification.ok) throw new Error(`the check failed:\n${findingLines(verification).join("\n")}`);
  const { rate, volatility, maturity, strike, spot } = OPTION;
  const closedForm = spot * blackScholes({ rate, volatility, maturity, strike: strike / spot });
  const errors = (price - closedForm) / standardError;
  if (Math.abs(errors) > MOST_ERRORS)
    throw new Error(`${price} is ${errors.toFixed(1)} standard errors from ${closedForm}`);
  return {
    lines: [
      `European call, spot ${spot}, strike ${strike}, ${maturity} year, volatility ${volatility}, rate ${rate}`,
      `price ${price.toFixed(4)} +- ${standardError.toFixed(4)}; closed form ${closedForm.toFixed(4)} (${errors.toFixed(2)} standard errors)`,
      `by ${nameOf(stage, beside.provider)} in ${seconds.toFixed(2)} s for ${dollars(BigInt(beside.price))}; computed again: equal`,
    ],
    figures: { price, standardError, closedForm, errors, paths: PATHS, equal: true, cost: beside.price, seconds },
  };
}
