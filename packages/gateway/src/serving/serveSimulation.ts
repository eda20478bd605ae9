import { type BaseUnits, FoldmarkError, type Prices, priceOfWork } from "@foldmark/protocol";
import type { Address } from "viem";
import type { ServedSimulation } from "../models/servedModel.ts";
import { type Accepted, accept } from "./acceptance.ts";
import type { ServingDeps } from "./dependencies.ts";
import { type FailedOver, withFailover } from "./failover.ts";
import { type Bought, buyAnswer } from "./purchase.ts";
import type { Route } from "./route.ts";
import { preimageOf } from "./statement.ts";

export type SimulationJob = { model: ServedSimulation; request: Uint8Array[]; T: number };

export const maximumOfSimulation = ({ T }: SimulationJob, prices: Prices): BaseUnits =>
  priceOfWork({ units: T, priceUnit: prices.unit });

/** Runs a simulation, at the next provider where one fails. A caller that leaves pays for what is running. @throws `provider.all_failed` */
export function serveSimulation(
  job: SimulationJob,
  { route, reroute }: { route: Route; reroute: () => Promise<Route | undefined> },
  deps: ServingDeps,
): Promise<FailedOver<Accepted>> {
  const ask = async ({ provider, prices }: { provider: Address; prices: Prices }) => {
    const claimedBytes = job.model.claimedBytes(job.T);
    const bought = await buyAnswer(
      {
        provider,
        asset: job.model.asset,
        request: job.request,
        prices,
        maximum: maximumOfSimulation(job, prices),
        limit: claimedBytes.reduce((sum, bytes) => sum + bytes, 0),
        hint: [],
        evidence: {
          kind: "simulation",
          prices,
          request: job.request,
          promptTokens: 0,
          limit: 0,
          T: job.T,
        },
      },
      deps,
    );
    try {
      return await takeAnswer(job, bought, deps);
    } catch (error) {
      bought.abandon([]);
      throw error;
    }
  };
  return withFailover({ route, reroute, delivered: () => 0 }, ask, deps);
}

async function takeAnswer(job: SimulationJob, bought: Bought, deps: ServingDeps): Promise<Accepted> {
  const event = await bought.next({ tokens: 0 });
  if (event?.type === "error")
    throw new FoldmarkError("provider.answer_refused", `The provider failed: ${event.code}.`, {
      details: { refused: event.code },
    });
  if (event?.type !== "payment")
    throw new FoldmarkError("provider.malformed", "The provider's stream holds no answer of a simulation.");
  const { payment, prices } = bought;
  const claimed = event.payment.claimed ?? [];
  const expected = job.model.claimedBytes(job.T);
  if (claimed.length !== expected.length || claimed.some((tensor, i) => tensor.byteLength !== expected[i]))
    throw new FoldmarkError("provider.malformed", "The provider's claimed tensors have another shape.");
  const preimage = preimageOf(job.model, { request: job.request, claimed, T: job.T });
  const price = maximumOfSimulation(job, prices);
  return accept({ payment, prices, event: event.payment, price, claimed, request: job.request, preimage }, deps);
}
