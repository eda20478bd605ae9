import { availableParallelism } from "node:os";
import path from "node:path";
import { addressSchema, parseAmount } from "@foldmark/protocol";
import { LOG_LEVELS, loadConfig, parseListenAddress } from "@foldmark/service";
import { z } from "zod";
import type { Home } from "./home.ts";

/** Amounts as a person writes them: decimal strings in the settlement token. */
const amount = z.string().refine((text) => isAmount(text), 'must be an amount with at most 6 decimals, such as "0.40"');
const url = z.url({ protocol: /^https?$/, error: "must be an http or https URL" });

/** Requests at a time of a model of whose offer nothing else was said: as many as a core decodes with little delay. */
export const DEFAULT_CAPACITY = 8;

const offerSchema = z.strictObject({
  model: z.string().describe("name or asset id of an installed model"),
  in: amount.default("0").describe("for 10^6 prompt tokens"),
  out: amount.default("0").describe("for 10^6 answer tokens"),
  unit: amount.default("0").describe("for 10^6 steps of a simulation"),
  capacity: z.int().min(1).max(1_024).default(DEFAULT_CAPACITY).describe("requests at a time"),
});
export type OfferConfig = z.infer<typeof offerSchema>;

/** Every setting. Unknown ones are refused by name. */
export const configSchema = z.strictObject({
  network: z
    .strictObject({
      rpc: z
        .array(url)
        .min(1)
        .default(["http://127.0.0.1:8545"])
        .describe("RPC endpoints of the chain; the first that answers"),
      deployment: z.string().default("deployment.json").describe("file with the market's addresses"),
      confirmations: z
        .int()
        .min(1)
        .max(1_000)
        .optional()
        .describe("depth at which a deposit counts; 1 locally, else 12"),
      maxBlindMs: z.int().min(0).default(1_800_000).describe("how long known channels are served without a chain"),
      pollMs: z.int().min(50).default(2_000).describe("how often offers, stake and events are read"),
    })
    .prefault({}),
  payee: addressSchema.optional().describe("the provider's identity; by default the key of the keystore"),
  signer: z
    .strictObject({
      keystore: z.string().default("keys/operator.json").describe("Web3 Secret Storage file"),
      passwordFile: z.string().optional().describe("file whose first line is the keystore's password"),
    })
    .prefault({}),
  serve: z
    .strictObject({
      listen: z
        .string()
        .refine((text) => isListenAddress(text), "must be host:port, such as 127.0.0.1:8420")
        .default("127.0.0.1:8420")
        .describe("address to listen on; port 0 takes a free one"),
      endpoint: z
        .union([z.literal("auto"), url])
        .default("auto")
        .describe("URL that the chain shows; auto registers where it listens"),
      queue: z.int().min(0).max(10_000).default(8).describe("requests that may wait"),
      drainMs: z.int().min(0).default(60_000).describe("how long streams may finish after SIGTERM"),
    })
    .prefault({}),
  engine: z
    .strictObject({
      threads: z
        .int()
        .min(1)
        .max(availableParallelism())
        .default(1)
        .describe("threads that compute for a model; more than 1 only on cores that nothing else needs"),
    })
    .prefault({}),
  models: z.array(z.string()).default([]).describe("folders of the model packages that are served"),
  offers: z.array(offerSchema).default([]).describe("prices that `offers set` publishes"),
  money: z
    .strictObject({
      redeem: z.enum(["auto", "manual"]).default("auto").describe("whether vouchers are redeemed by themselves"),
      nativePrice: amount.default("3000").describe("settlement token for one unit of the chain's own currency"),
      minimumDeposit: amount.default("0").describe("least deposit of a channel that is served"),
    })
    .prefault({}),
  log: z.strictObject({ level: z.enum(LOG_LEVELS).default("info") }).prefault({}),
});
export type NodeConfig = z.output<typeof configSchema>;

/** Variables with our prefix that are no settings of a node: its folder, a caller's key, a gateway's settings. */
const isNoSetting = (name: string): boolean =>
  name === "FOLDMARK_HOME" || name === "FOLDMARK_API_KEY" || name.startsWith("FOLDMARK_GATEWAY_");

/**
 * Settings of a home folder: file, environment, flags. Paths are relative to the folder.
 * @throws `config.unreadable`, `config.invalid`
 */
export async function readConfig(
  home: Home,
  { variables, flags = {} }: { variables: Record<string, string | undefined>; flags?: Record<string, unknown> },
): Promise<NodeConfig> {
  const config = await loadConfig(configSchema, {
    file: { path: home.config, isRequired: false },
    environment: { variables, prefix: "FOLDMARK_", ignore: Object.keys(variables).filter(isNoSetting) },
    flags,
  });
  const at = (file: string) => path.resolve(home.folder, file);
  return {
    ...config,
    network: { ...config.network, deployment: at(config.network.deployment) },
    signer: {
      keystore: at(config.signer.keystore),
      passwordFile: config.signer.passwordFile === undefined ? undefined : at(config.signer.passwordFile),
    },
    models: config.models.map(at),
  };
}

function isAmount(text: string): boolean {
  return /^[0-9]+(\.[0-9]{1,6})?$/.test(text) && parseAmount(text) >= 0n;
}

function isListenAddress(text: string): boolean {
  try {
    parseListenAddress(text);
    return true;
  } catch {
    return false;
  }
}
