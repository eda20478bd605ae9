import { baseUnits, baseUnitsCodec, bytes32Schema, decimalString } from "@foldmark/protocol";
import { LOG_LEVELS } from "@foldmark/service";
import { z } from "zod";
import { DEFAULT_DEADLINES } from "./providers/deadline.ts";

/** A list in YAML; in the environment and in a flag its items are separated by commas. */
const list = z
  .union([z.string(), z.array(z.string())])
  .transform((value) =>
    (typeof value === "string" ? value.split(",") : value).map((item) => item.trim()).filter(Boolean),
  );
const milliseconds = z.int().min(1).max(86_400_000);
const amount = z.union([decimalString, z.int().min(0).transform(String)]).pipe(baseUnitsCodec);

/** All settings of a gateway. */
export const gatewayConfig = z.strictObject({
  rpc: list.describe("RPC endpoints of the chain; the first that answers is used."),
  deployment: z.string().min(1).describe("File with the addresses of the market's contracts."),
  packages: list.describe("Folders of the model packages that are served."),
  data: z.string().min(1).default("./foldmark-gateway").describe("Folder for the lock and the embedded database."),
  databaseUrl: z
    .string()
    .regex(/^postgres(ql)?:\/\//)
    .optional()
    .describe("PostgreSQL instead of the embedded database."),
  keystore: z.string().min(1).describe("Keystore (Web3 Secret Storage) of the key that pays and signs receipts."),
  passwordFile: z.string().min(1).optional().describe("File whose first line is the keystore's password."),
  listen: z.string().default("127.0.0.1:8080").describe("host:port; port 0 takes a free one."),
  confirmations: z.int().min(1).optional().describe("Depth at which a block counts; 1 on a local chain, 12 elsewhere."),
  pollMs: milliseconds.default(1_000).describe("How often the chain is read."),
  allowPrivateEndpoints: z
    .boolean()
    .optional()
    .describe("Whether providers may have private or loopback addresses; by default on a local chain only."),
  salt: bytes32Schema
    .default(`0x${"0".repeat(64)}`)
    .describe("Tells apart the channels of gateways that share a key: one for each replica."),
  deposit: amount.default(baseUnits(2_000_000n)).describe("Base units that a payment channel is opened with."),
  corsOrigins: list.default([]).describe("Origins whose pages may call this gateway; * for all."),
  trustProxy: z.int().min(0).default(0).describe("Number of reverse proxies whose X-Forwarded-For is believed."),
  bodyLimitBytes: z.int().min(1_024).default(1_048_576).describe("The largest request body."),
  requestsPerMinute: z.int().min(1).default(600).describe("For each API key."),
  requestsPerMinutePerAddress: z.int().min(1).default(1_200).describe("For each address, keys or not."),
  deadlines: z
    .strictObject({
      headersMs: milliseconds.default(DEFAULT_DEADLINES.headersMs),
      firstTokenMs: milliseconds.default(DEFAULT_DEADLINES.firstTokenMs),
      betweenTokensMs: milliseconds.default(DEFAULT_DEADLINES.betweenTokensMs),
      minTokensPerSecond: z.number().positive().default(DEFAULT_DEADLINES.minTokensPerSecond),
      questionMs: milliseconds.default(DEFAULT_DEADLINES.questionMs),
    })
    .prefault({})
    .describe("How long a provider may take before it is replaced."),
  drainMs: milliseconds.default(30_000).describe("How long running requests are waited for at the end."),
  housekeepingMs: milliseconds
    .default(60_000)
    .describe("How often expired tensors are deleted and deposits of stopped channels are taken back."),
  logLevel: z.enum(LOG_LEVELS).default("info"),
});

export type GatewayConfig = z.output<typeof gatewayConfig>;

/** The same file of settings for the `keys` commands, which need the store alone. */
export const storeConfig = gatewayConfig.partial({ rpc: true, deployment: true, packages: true, keystore: true });
