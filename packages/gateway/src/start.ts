import { mkdir, readFile } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";
import { type Answer, answerDigest, domainOf, FoldmarkError, parseDeployment } from "@foldmark/protocol";
import {
  checkDeployment,
  connectChain,
  drain,
  Indexer,
  type Logger,
  listen,
  lockFolder,
  MarketView,
  parseListenAddress,
  poll,
  readMarketTerms,
} from "@foldmark/service";
import { createApp } from "./app.ts";
import type { GatewayConfig } from "./config.ts";
import { openControl } from "./control/server.ts";
import type { GatewayKey } from "./keystore.ts";
import { openMarket } from "./market/openMarket.ts";
import { openMetrics } from "./metrics.ts";
import { openModels } from "./models/openModels.ts";
import { openDeposits } from "./payments/deposits.ts";
import { leaveStopped } from "./payments/leaveStopped.ts";
import { openMutex } from "./payments/mutex.ts";
import { Payer } from "./payments/payer.ts";
import { openConnections } from "./providers/connections.ts";
import { openHealth } from "./providers/health.ts";
import { deleteExpiredTensors } from "./receipts/receiptStore.ts";
import { openRenderer } from "./rendering/renderer.ts";
import type { GatewayDeps } from "./serving/gateway.ts";
import { Settlement } from "./serving/settlement.ts";
import { openTally } from "./serving/tally.ts";
import { releaseReservations } from "./store/apiKeys.ts";
import { deleteOldKeys, releaseRunningKeys } from "./store/idempotency.ts";
import { lockInstance } from "./store/instanceLock.ts";
import { openStore } from "./store/open.ts";
import { openSealing } from "./store/sealing.ts";

export type RunningGateway = {
  url: string;
  address: `0x${string}`;
  models: string[];
  /** Takes no new request, lets those that run end, and closes everything. */
  stop(): Promise<void>;
};

export type StartDeps = { log: Logger; key: GatewayKey; now: () => number };

const LOCAL_CHAIN = 31_337;
const DAY_MS = 86_400_000;
/** For a client to send its headers, and its whole request: who drips holds a socket no longer. */
const HEADERS_MS = 15_000;
const REQUEST_MS = 60_000;

/**
 * Starts a gateway and returns when it takes requests.
 * @throws `chain.*`, `deployment.malformed`, `package.*`, `store.*`, `listen.*`
 */
export async function startGateway(config: GatewayConfig, { log, key, now }: StartDeps): Promise<RunningGateway> {
  await using undo = new AsyncDisposableStack();
  const address = parseListenAddress(config.listen);
  const deployment = parseDeployment(await readDeployment(config.deployment));
  const { chainId, contracts } = deployment;
  const domain = domainOf(deployment);

  const lock = await openFolder(config.data);
  undo.use(lock);

  const { confirmations } = config;
  const chain = await connectChain({ rpc: config.rpc, chainId, ...(confirmations && { confirmations }) });
  await checkDeployment(chain, deployment);
  const terms = await readMarketTerms(chain.client, deployment);
  const view = new MarketView();
  const indexer = new Indexer(chain.client, [view], { deployment, confirmations: chain.confirmations });
  await indexer.sync();

  const renderer = openRenderer();
  undo.defer(() => renderer.close());
  const models = await openModels(config.packages, { renderer });

  const where = config.databaseUrl ? { url: config.databaseUrl } : { folder: path.join(config.data, "db") };
  const db = await openStore(where);
  undo.defer(() => db.destroy());
  if (config.databaseUrl) {
    const onLost = (error: Error) => log.error({ err: error }, "the lock on this gateway's salt was lost");
    undo.use(await lockInstance(config.databaseUrl, { salt: config.salt, onLost }));
  }

  const market = openMarket({ view, indexer, client: chain.client, terms, confirmations: chain.confirmations, now });
  const metrics = openMetrics();
  const tally = openTally({ db, now, onCount: metrics.onCount });
  undo.defer(() => tally.flush());
  const connections = openConnections(
    { allowPrivateEndpoints: config.allowPrivateEndpoints ?? chainId === LOCAL_CHAIN },
    { now },
  );
  undo.defer(() => connections.close());
  const mutex = openMutex();
  const { account: signer } = key;
  const deposits = openDeposits(
    { channels: contracts.channels, token: terms.token, deposit: config.deposit, confirmations: chain.confirmations },
    { publicClient: chain.client, wallet: chain.walletOf(signer), mutex, now },
  );
  const payer = new Payer({ domain, token: terms.token, salt: config.salt }, { db, signer, deposits, mutex, now });
  const background = new Set<Promise<void>>();
  undo.defer(async () => {
    // work in the background may begin other work
    while (background.size > 0) await Promise.all(background);
  });
  const inBackground = (work: () => Promise<unknown>): void => {
    const done: Promise<void> = work()
      .then(
        () => {},
        (error: unknown) => log.error({ err: error }, "background work failed"),
      )
      .finally(() => background.delete(done));
    background.add(done);
  };

  const serving = {
    market,
    payer,
    connections,
    health: openHealth({}, { now }),
    sealing: openSealing(key.secret),
    deadlines: config.deadlines,
    tally,
    log,
    now,
    inBackground,
  };
  const settlement = new Settlement({ ...serving, db, models });
  const instance = config.salt;
  await releaseReservations(db, instance);
  await releaseRunningKeys(db, instance);
  const open = await settlement.takeUp(config.salt);
  if (open > 0) log.info({ vouchers: open }, "vouchers of an earlier run are asked for");

  let chainReadAt = now();
  undo.use(
    poll(
      async () => {
        await indexer.sync();
        chainReadAt = now();
      },
      { intervalMs: config.pollMs, onError: (error) => log.warn({ err: error }, "the chain cannot be read") },
    ),
  );
  const onError = (error: unknown) => log.error({ err: error }, "housekeeping failed");
  undo.use(poll(() => settlement.run(), { intervalMs: 1_000, onError }));
  undo.use(poll(() => tally.flush(), { intervalMs: 1_000, onError }));
  const keepHouse = async () => {
    // by the time of the last block that was read, so that every challenge of what has expired has been seen
    const indexed = view.head?.timestamp ?? 0n;
    const isDisputed = (answer: Answer) => (view.disputeOf(answerDigest(domain, answer))?.open ?? 0) > 0;
    await deleteExpiredTensors(db, { expiredBy: indexed, isDisputed });
    await deleteOldKeys(db, { beforeMs: now() - DAY_MS });
    // the contract knows the chain's time alone
    await leaveStopped(db, { salt: config.salt, payer, deposits, chainNow: indexed });
  };
  undo.use(poll(keepHouse, { intervalMs: config.housekeepingMs, onError }));

  let isDraining = false;
  const gateway: GatewayDeps = {
    ...serving,
    settleLater: (payment, of) => settlement.later(payment, of),
    db,
    models,
    signer,
    chainId,
    channels: contracts.channels,
    instance,
  };
  const app = createApp(config, {
    gateway,
    metrics,
    isDraining: () => isDraining,
    chainReadAt: () => chainReadAt,
    unsettled: () => settlement.open,
  });
  if (!config.databaseUrl) undo.use(await openControl(config.data, { db, now }));
  const server = createServer({ headersTimeout: HEADERS_MS, requestTimeout: REQUEST_MS }, app);
  const { url } = await listen(server, address);
  const running = undo.move();
  return {
    url,
    address: signer.address,
    models: [...models.keys()],
    async stop() {
      isDraining = true;
      await drain(server, { deadlineMs: config.drainMs });
      await running.disposeAsync();
    },
  };
}

async function readDeployment(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new FoldmarkError("config.unreadable", `The deployment file ${file} cannot be read.`, {
      details: { file },
      cause,
    });
  }
}

/** @throws `store.locked` while another process has it */
export async function openFolder(folder: string) {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return lockFolder(folder);
}
