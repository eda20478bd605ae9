import type { Deployment } from "@foldmark/protocol";
import { courtAbi, modelRegistryAbi, paymentChannelsAbi, providerRegistryAbi } from "@foldmark/protocol/abi";
import { type Log, parseEventLogs } from "viem";

/** Every event of the market's contracts. */
export const marketEventsAbi = [
  ...providerRegistryAbi,
  ...modelRegistryAbi,
  ...paymentChannelsAbi,
  ...courtAbi,
] as const;

/** One decoded event: `eventName`, typed `args`, and where it stands in the chain. */
export type MarketEvent = ReturnType<typeof decodeMarketEvents>[number];

export function decodeMarketEvents(logs: Log<bigint, number, false>[]) {
  return parseEventLogs({ abi: marketEventsAbi, logs });
}

/** The contracts whose events make up the market. The token's own transfers do not. */
export function marketAddresses({ contracts: { providers, models, channels, court } }: Deployment) {
  return [providers, models, channels, court];
}
