import type { Address } from "viem";
import { z } from "zod";
import { type Domain, foldmarkDomain } from "./domain.ts";
import { FoldmarkError } from "./errors.ts";
import { addressSchema } from "./ids.ts";

/** Where the market lives on one chain. `fromBlock` is the first block in which any of its contracts can have an event. */
export const deploymentSchema = z.strictObject({
  chainId: z.int().positive(),
  fromBlock: z.int().min(0),
  contracts: z.strictObject({
    token: addressSchema,
    models: addressSchema,
    providers: addressSchema,
    channels: addressSchema,
    court: addressSchema,
    referee: addressSchema,
  }),
});
export type Deployment = z.infer<typeof deploymentSchema>;

/** Ignition's names of the contracts that we deploy. The token may be anybody's; TestUSD is the local one. */
const IGNITION_NAMES = {
  token: ["TestUSD", "token", "Token"],
  models: ["ModelRegistry"],
  providers: ["ProviderRegistry"],
  channels: ["PaymentChannels"],
  court: ["Court"],
  referee: ["Referee"],
} as const satisfies Record<keyof Deployment["contracts"], readonly string[]>;

/** @throws `deployment.malformed` with every field that is wrong */
export function parseDeployment(json: string): Deployment {
  const value = parseJson(json);
  const parsed = deploymentSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new FoldmarkError(
    "deployment.malformed",
    `The deployment file is malformed: ${z.prettifyError(parsed.error)}`,
    {
      hint: "It is written when the contracts are deployed: { chainId, fromBlock, contracts: { token, models, providers, channels, court, referee } }.",
    },
  );
}

/**
 * A deployment from Ignition's `deployed_addresses.json`, whose keys are "Module#Contract".
 * @throws `deployment.malformed` when a contract is missing
 */
export function deploymentFromIgnition(
  addresses: Record<string, string>,
  { chainId, fromBlock }: { chainId: number; fromBlock: number },
): Deployment {
  const byName = new Map(Object.entries(addresses).map(([key, address]) => [key.slice(key.indexOf("#") + 1), address]));
  const contracts: Record<string, string> = {};
  for (const [field, names] of Object.entries(IGNITION_NAMES)) {
    const name = names.find((candidate) => byName.has(candidate));
    const address = name && byName.get(name);
    if (address) contracts[field] = address;
  }
  return parseDeployment(JSON.stringify({ chainId, fromBlock, contracts }));
}

/** The domain of everything that is signed for this deployment. */
export function domainOf({ chainId, contracts }: { chainId: number; contracts: { channels: Address } }): Domain {
  return foldmarkDomain({ chainId, channels: contracts.channels });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FoldmarkError("deployment.malformed", "The deployment file is not valid JSON.", { cause });
  }
}
