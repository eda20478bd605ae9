import { FoldmarkError, type Receipt } from "@foldmark/protocol";
import { callRequest, type ModelPackage, PATHS_PER_BLOCK } from "@foldmark/workloads";
import { z } from "zod";
import { type Finding, fails, holds, unchecked } from "../finding.ts";

const DEFAULT_PATHS = 262_144;

const asked = z.looseObject({
  parameters: z.looseObject({
    rate: z.number(),
    volatility: z.number(),
    maturity: z.number(),
    strike: z.number(),
    spot: z.number().positive(),
  }),
  paths: z.int().default(DEFAULT_PATHS),
  seed: z.int().nullish(),
});

/**
 * The request of a simulation is what the caller ordered.
 * @throws `request.invalid` for an order that cannot be read
 */
export function checkCall(
  { request, seedByGateway }: Pick<Receipt, "request" | "seedByGateway">,
  pkg: Pick<ModelPackage, "program">,
  json: unknown,
): Finding {
  if (json === undefined) return unchecked("request", "give the order that was sent to compare it");
  const parsed = asked.safeParse(json);
  if (!parsed.success)
    throw new FoldmarkError("request.invalid", `The order cannot be read: ${z.prettifyError(parsed.error)}`, {
      hint: "Give the whole body that was sent to /v1/simulations.",
    });
  const { parameters, paths, seed } = parsed.data;
  const isSent = typeof seed === "number";
  if (seedByGateway === isSent) return fails("request", `it says that the seed was ${isSent ? "not " : ""}sent`);
  const [tensor = new Uint8Array(8)] = request;
  const own = isSent ? BigInt(seed) : new DataView(tensor.buffer, tensor.byteOffset).getBigInt64(0, true);
  const { spot, strike, ...rest } = parameters;
  const order = { ...rest, strike: strike / spot, seed: own, blocks: paths / PATHS_PER_BLOCK };
  const [mine] = callRequest(order, { maxT: pkg.program.maxT });
  if (!mine || mine.length !== tensor.length || mine.some((byte, i) => byte !== tensor[i]))
    return fails("request", "the order makes another request tensor");
  return holds("request", `every parameter is the order's${isSent ? "" : "; the seed was the gateway's choice"}`);
}
