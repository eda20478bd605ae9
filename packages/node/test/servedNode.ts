import { createServer } from "node:http";
import {
  assetIdToUint,
  type BaseUnits,
  baseUnits,
  type Channel,
  channelIdOf,
  encodePaymentHeader,
  foldmarkDomain,
  MAX_TIMEOUT_SECONDS,
  networkOf,
  PAYMENT_SCHEME,
  PAYMENT_SIGNATURE_HEADER,
  type Prices,
  signVoucher,
} from "@foldmark/protocol";
import { createLogger, listen } from "@foldmark/service";
import type { Hex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import type { ChannelFunds, MarketView } from "../src/chain/marketView.ts";
import type { ServedModel } from "../src/engine/answerEngine.ts";
import { nodeKey } from "../src/keystore/keystore.ts";
import { nodeMetrics, watchServing } from "../src/metrics.ts";
import { nodeApp } from "../src/serving/app.ts";
import type { Health } from "../src/serving/healthRoute.ts";
import { Runs } from "../src/serving/runs.ts";
import { Scheduler } from "../src/serving/scheduler.ts";
import { Ledger } from "../src/store/ledger.ts";
import { sealedBox } from "../src/store/sealedBox.ts";
import { aFolder } from "./aFolder.ts";
import { MODEL, SIMULATION, scriptedEngine } from "./scriptedEngine.ts";

export const PRICES: Prices = { in: baseUnits(1_000_000n), out: baseUnits(2_000_000n), unit: baseUnits(3_000_000n) };
export const NOW = 1_000_000n;
const CHANNELS = "0x00000000000000000000000000000000000000bb";
const TOKEN = "0x00000000000000000000000000000000000000cc";
export const DOMAIN = foldmarkDomain({ chainId: 31337, channels: CHANNELS });
export const NODE = nodeKey(`0x${"0a".repeat(32)}`);
export const SIGNER = privateKeyToAccount(`0x${"0b".repeat(32)}`);
export const PAYER = privateKeyToAccount(`0x${"0c".repeat(32)}`);

/** A whole node over HTTP with a real ledger, an engine that the test moves, and a chain that the test makes up. */
export async function serveNode({ folder = aFolder(), queue = 8, capacity = 1 } = {}) {
  const owner = { payee: NODE.address, chainId: 31337, channels: DOMAIN.verifyingContract };
  const ledger = Ledger.open(folder, { owner, box: sealedBox(NODE.secret()) });
  const engine = scriptedEngine();
  const scheduler = new Scheduler({ limit: queue, capacity: () => capacity });
  const runs = new Runs();
  const chain = {
    funds: { deposit: baseUnits(1_000n), pendingExit: baseUnits(0n), redeemed: baseUnits(0n) } as ChannelFunds,
    isStaked: true,
    health: "ok" as Health,
  };
  const market: MarketView = {
    terms: { token: TOKEN, windowSeconds: 600n, clocksSeconds: 600n, noticeSeconds: 600n, penalty: baseUnits(1n) },
    now: () => NOW,
    prices: () => PRICES,
    capacity: () => capacity,
    hasStake: () => chain.isStaked,
    channel: async () => chain.funds,
  };
  const lines: string[] = [];
  const log = createLogger({ name: "node", destination: { write: (line) => lines.push(line) } });
  const metrics = nodeMetrics({ scheduler, ledger });
  const app = nodeApp({
    ...{
      payee: NODE.address,
      operator: NODE.address,
      domain: DOMAIN,
      key: NODE,
      ledger,
      market,
      engine,
      scheduler,
      runs,
      log,
    },
    models: new Map([MODEL, SIMULATION].map((model) => [model.asset as string, model])),
    minimumDeposit: baseUnits(0n),
    metrics: metrics.registry,
    watch: watchServing({ metrics, log, ledger }),
    health: () => chain.health,
    checkOpen() {},
    checkLength() {},
    keepAliveMs: 20,
  });
  const server = createServer(app);
  const { url } = await listen(server, { host: "127.0.0.1", port: 0 });
  return {
    ...{ url, ledger, engine, chain, scheduler, runs, lines, folder },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      ledger.close();
    },
  };
}

export type Ask = {
  model?: ServedModel;
  request?: number[];
  ceiling?: bigint;
  prices?: Prices;
  hint?: number[];
  signer?: typeof SIGNER;
  channel?: Partial<Channel>;
  payTo?: Hex;
};

export const channelOf = (model: ServedModel, changes: Partial<Channel> = {}): Channel => ({
  ...{ payer: PAYER.address, signer: SIGNER.address, payee: NODE.address },
  ...{ model: assetIdToUint(model.asset), salt: `0x${"00".repeat(32)}`, ...changes },
});

/** Headers and body of a request for 3 prompt tokens and at most 4 answer tokens, its voucher for just enough. */
export async function anOrder({
  model = MODEL,
  request = [3, 4],
  ceiling = 11n,
  prices = PRICES,
  hint,
  signer = SIGNER,
  channel: changes,
  payTo,
}: Ask = {}) {
  const channel = channelOf(model, changes);
  const channelId = channelIdOf(DOMAIN, channel);
  const voucher = { channelId, maxClaimableAmount: baseUnits(ceiling) };
  const payment = encodePaymentHeader({
    x402Version: 2,
    accepted: {
      ...{ scheme: PAYMENT_SCHEME, network: networkOf(31337), amount: baseUnits(ceiling) as BaseUnits, asset: TOKEN },
      ...{
        payTo: payTo ?? NODE.address,
        maxTimeoutSeconds: MAX_TIMEOUT_SECONDS,
        extra: { channels: CHANNELS, model: model.asset },
      },
    },
    payload: { type: "voucher", channel, voucher, signature: await signVoucher(signer, DOMAIN, voucher) },
  });
  const headers = { "content-type": "application/json", [PAYMENT_SIGNATURE_HEADER]: payment };
  const text = { in: `${prices.in}`, out: `${prices.out}`, unit: `${prices.unit}` };
  const body = JSON.stringify({
    model: model.asset,
    request: [Buffer.from(request).toString("base64")],
    prices: text,
    ...(hint ? { hint } : {}),
  });
  return { channelId, headers, body, path: `/v1/answers/${channelId}/${ceiling}` };
}

/** The events of a stream, one after the other; comments come as `{ event: "comment" }`. */
export async function* eventsOf(response: Response): AsyncGenerator<{ event: string; data: unknown }> {
  let text = "";
  for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += chunk;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const block = text.slice(0, end);
      text = text.slice(end + 2);
      if (block.startsWith(":")) yield { event: "comment", data: block.slice(2) };
      else {
        const [, event = ""] = /^event: (.*)$/m.exec(block) ?? [];
        const [, data = "null"] = /^data: (.*)$/m.exec(block) ?? [];
        yield { event, data: JSON.parse(data) };
      }
    }
  }
}
