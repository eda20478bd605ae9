import { FoldmarkError, type Prices } from "@foldmark/protocol";
import type { FoundModel } from "../models/findModel.ts";
import type { ServedSimulation } from "../models/servedModel.ts";
import type { Accepted } from "./acceptance.ts";
import { type Billed, billed, type Call, type GatewayDeps } from "./gateway.ts";
import { maximumOfSimulation, type SimulationJob, serveSimulation } from "./serveSimulation.ts";

export type SimulationOrder = {
  call: Call;
  named: FoundModel<ServedSimulation>;
  job: SimulationJob;
  seedByGateway: boolean;
};

/** Runs a simulation through the market. @throws what `billed` throws */
export async function answerSimulation(
  { call, named, job, seedByGateway }: SimulationOrder,
  deps: GatewayDeps,
): Promise<Billed> {
  const { billed: bill } = await billed<Accepted>(
    { call, named, maximumAt: (prices: Prices) => maximumOfSimulation(job, prices) },
    async (routed) => {
      const { result: accepted, route, skipped } = await serveSimulation(job, routed, deps);
      const usage = { promptTokens: 0, answerTokens: 0 };
      return { result: accepted, inputs: { seedByGateway, accepted, usage, cut: undefined, route, skipped } };
    },
    deps,
  );
  if (!bill) throw new FoldmarkError("internal.bug", "An accepted simulation has no receipt.");
  return bill;
}
