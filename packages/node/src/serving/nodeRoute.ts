import { type AssetId, type NodeInfo, nodeInfoCodec, PROTOCOL_VERSION, type Prices } from "@foldmark/protocol";
import { Router } from "express";
import type { Address } from "viem";
import { z } from "zod";
import type { ServedModel } from "../engine/answerEngine.ts";
import type { Scheduler } from "./scheduler.ts";

/** Version of the fold machine whose programs this node runs. */
export const MACHINE_VERSION = 1;

export type NodeRouteDeps = {
  instance: string;
  payee: Address;
  operator: Address;
  chainId: number;
  channels: Address;
  models: Iterable<ServedModel>;
  prices(asset: AssetId): Prices | undefined;
  scheduler: Scheduler;
  isDraining(): boolean;
};

/** `GET /v1/node`: who this is, what it serves, and how busy it is. A model without an offer on the chain is not listed. */
export function nodeRoute(deps: NodeRouteDeps): Router {
  return Router().get("/v1/node", (_request, response) => {
    response.json(z.encode(nodeInfoCodec, describeNode(deps)));
  });
}

function describeNode({ models, prices, scheduler, isDraining, ...identity }: NodeRouteDeps): NodeInfo {
  return {
    protocol: PROTOCOL_VERSION,
    machineVersion: MACHINE_VERSION,
    ...{ instance: identity.instance, payee: identity.payee, operator: identity.operator },
    ...{ chainId: identity.chainId, channels: identity.channels },
    models: [...models].flatMap(({ asset, modelId, packageHash, kind, context }) => {
      const published = prices(asset);
      if (!published) return [];
      return [
        {
          asset,
          modelId,
          packageHash,
          kind,
          context,
          prices: published,
          assurance: "exact" as const,
          mode: "ahead" as const,
        },
      ];
    }),
    ...{ running: scheduler.running, queued: scheduler.queued, queueLimit: scheduler.limit },
    draining: isDraining(),
  };
}
