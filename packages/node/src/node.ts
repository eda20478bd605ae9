import { createServer, type Server } from "node:http";
import { type AssetId, codeOf, domainOf, parseAmount } from "@foldmark/protocol";
import { drain, type Logger, listen, parseListenAddress } from "@foldmark/service";
import type { Address } from "viem";
import { connectMarket, readDeployment } from "./chain/market.ts";
import type { MarketView } from "./chain/marketView.ts";
import { MarketWatch } from "./chain/marketWatch.ts";
import { senderOf } from "./chain/transact.ts";
import type { NodeConfig } from "./config.ts";
import { serveControl } from "./control/server.ts";
import { gasOfDefence } from "./disputes/court/cost.ts";
import { openCourt } from "./disputes/court/court.ts";
import { DefenceGas } from "./disputes/court/defenceGas.ts";
import { Defender } from "./disputes/defender.ts";
import type { OpenTrace } from "./disputes/traces/disputeTrace.ts";
import { LengthLimit } from "./disputes/traces/lengthLimit.ts";
import { openThreadTrace } from "./disputes/traces/threadTrace.ts";
import { treeRoute } from "./disputes/tree/treeRoute.ts";
import type { AnswerEngine } from "./engine/answerEngine.ts";
import type { OpenedModel } from "./engine/openModel.ts";
import { WorkerEngine } from "./engine/workerEngine.ts";
import type { Home } from "./home.ts";
import type { NodeKey } from "./keystore/keystore.ts";
import { disputeMetrics, nodeMetrics, watchServing } from "./metrics.ts";
import { collectIncome } from "./money/collect.ts";
import { Redeemer } from "./money/redeemer.ts";
import { describeNode, type NodeStatus } from "./nodeStatus.ts";
import { nodeApp } from "./serving/app.ts";
import type { Health } from "./serving/healthRoute.ts";
import { Runs } from "./serving/runs.ts";
import { Scheduler } from "./serving/scheduler.ts";
import {
  checkMachineVersion,
  checkOpen,
  checkOperator,
  checkRegistered,
  openModels,
  publishEndpoint,
} from "./startChecks.ts";
import { Ledger } from "./store/ledger.ts";
import { sealedBox } from "./store/sealedBox.ts";

export type NodeOptions = { home: Home; config: NodeConfig; key: NodeKey };

export type NodeDeps = {
  log: Logger;
  /** Milliseconds since 1970. */
  clock?: () => number;
  /** What computes; by default WebAssembly in a thread. */
  openEngine?: (models: readonly OpenedModel[]) => Promise<AnswerEngine>;
  /** Whose trace a disputed answer is defended with; by default its own, in a thread. */
  openTrace?: OpenTrace;
};

/** How often vouchers are looked at for redemption, and old answers deleted. */
const HOUSEKEEPING_MS = 5_000;

/** How long after the start the speed of a trace is measured: nobody waits for it, and the first requests go before. */
const MEASURE_AFTER_MS = 60_000;

/** A provider node that serves until it is drained. */
export type RunningNode = {
  readonly payee: Address;
  readonly operator: Address;
  readonly instance: string;
  /** Where it listens, and the URL that the chain shows. */
  readonly url: string;
  readonly port: number;
  readonly endpoint: string;
  readonly models: readonly { asset: string; name: string }[];
  status(): Promise<NodeStatus>;
  /** Takes no more requests, finishes what streams within the drain time, then stops. */
  drain(): Promise<void>;
  /** Stops now: what runs is cut where its payer stands, signed and stored. */
  close(): Promise<void>;
};

/**
 * Opens the ledger, reaches the chain, loads the models, listens, and serves.
 * @throws `store.locked`, `store.damaged`, `chain.*`, `package.*`, `listen.*`, `config.invalid`
 */
export async function startNode({ home, config, key }: NodeOptions, deps: NodeDeps): Promise<RunningNode> {
  const { log, clock = Date.now } = deps;
  await using opened = new AsyncDisposableStack();
  const deployment = await readDeployment(config.network.deployment);
  const payee = config.payee ?? key.address;
  const domain = domainOf(deployment);
  const ledger = Ledger.open(home.ledger, {
    owner: { payee, chainId: deployment.chainId, channels: deployment.contracts.channels },
    box: sealedBox(key.secret()),
  });
  opened.defer(() => ledger.close());

  const market = await connectMarket({ ...config.network, deployment });
  await checkRegistered(market, { payee, ledger });
  const models = await openModels(config);
  const openEngine = deps.openEngine ?? ((served) => WorkerEngine.open({ models: served, ...config.engine }, { log }));
  const engine = await openEngine(models);
  opened.defer(() => engine.close());

  const court = await openCourt(market);
  checkMachineVersion(court);
  const sender = senderOf(market, key.account, {
    onResend: (sent) => log.warn(sent, "a transaction was stuck and is sent again with a higher fee"),
  });
  const view = await MarketWatch.open(
    market,
    {
      ...{ payee, operator: key.address, assets: models.map(({ asset }) => asset) },
      ...{ pollMs: config.network.pollMs, maxBlindMs: config.network.maxBlindMs },
    },
    { log, clock, onExit: (channelId) => redeemer.exitStarted(channelId) },
  );
  opened.defer(() => view.close());
  const nativePrice = parseAmount(config.money.nativePrice);
  const redeemer = new Redeemer({ market, view, sender, ledger, payee, nativePrice, log });
  checkOperator(view, { payee, operator: key.address });
  const gas = await DefenceGas.open(market, { operator: key.address, gas: gasOfDefences(models) });
  const { openTrace = openThreadTrace } = deps;
  const disputes = await Defender.open(
    { court, sender, ledger, domain, payee, models, openTrace, log, clock },
    { pollMs: config.network.pollMs },
  );
  opened.defer(() => disputes.close());
  const lengths = new LengthLimit();
  opened.defer(() => lengths.close());

  let health: Health = "starting";
  const scheduler = new Scheduler({ limit: config.serve.queue, capacity: capacityOf(models, view) });
  const runs = new Runs();
  const metrics = nodeMetrics({ scheduler, ledger });
  disputeMetrics(metrics.registry, { counts: () => disputes.counts, defences: () => gas.defences });
  const app = nodeApp({
    ...{ payee, operator: key.address, domain, key, ledger, market: view, engine, scheduler, runs, log },
    models: new Map(models.map((model) => [model.asset as string, model])),
    minimumDeposit: parseAmount(config.money.minimumDeposit),
    metrics: metrics.registry,
    watch: watchServing({ metrics, log, ledger }),
    health: () => health,
    checkOpen() {
      checkOpen(health, view);
      disputes.checkHonest();
      gas.check();
    },
    checkLength: (asset, T) => lengths.check(asset, T),
    routes: [treeRoute({ disputes, now: () => view.now() })],
  });
  const server = createServer(app);
  const { url, port } = await listen(server, parseListenAddress(config.serve.listen));
  opened.defer(() => closeNow(server));
  const endpoint = config.serve.endpoint === "auto" ? url : config.serve.endpoint;
  await publishEndpoint(market, sender, { payee, endpoint, log });

  const startedAt = clock();
  const status = () =>
    describeNode({
      ...{ payee, endpoint, models, scheduler, ledger, market, view, health, startedAt, clock },
      ...{ disputes: disputes.counts, defencesAffordable: gas.defences },
    });
  const control = await serveControl(home.socket, {
    status,
    redeem: () => redeemer.redeemAll(),
    collect: () => collectIncome(market, sender, payee),
  });
  opened.defer(() => closeNow(control));
  const housekeeping = setInterval(async () => {
    try {
      ledger.prune(Number(view.blockTime - market.terms.clocksSeconds), disputes.kept);
      await gas.refresh();
      if (config.money.redeem === "auto") await redeemer.redeemDue();
    } catch (error) {
      log.warn({ code: codeOf(error) }, "old answers or owed vouchers were not seen to; it is tried again");
    }
  }, HOUSEKEEPING_MS);
  opened.defer(() => clearInterval(housekeeping));

  health = "ok";
  const measuring = setTimeout(
    () => void lengths.measure(models, { engine, openTrace, ledger, log }),
    MEASURE_AFTER_MS,
  );
  opened.defer(() => clearTimeout(measuring));
  const resources = opened.move();
  let stopping: Promise<void> | undefined;
  const stop = (drainMs: number): Promise<void> => {
    stopping ??= stopServing(drainMs);
    return stopping;
  };
  async function stopServing(drainMs: number): Promise<void> {
    health = "draining";
    const deadline = setTimeout(() => void runs.endAll(), drainMs);
    if (drainMs === 0) await runs.endAll();
    await scheduler.idle();
    clearTimeout(deadline);
    await drain(server, { deadlineMs: CLOSE_MS });
    await resources.disposeAsync();
  }
  return {
    ...{ payee, operator: key.address, instance: ledger.instance, url, port, endpoint },
    models: models.map(({ asset, name }) => ({ asset, name })),
    status,
    drain: () => stop(config.serve.drainMs),
    async close() {
      await Promise.all([runs.endAll(), stop(0)]);
    },
  };
}

/** Chats are computed together, as many as the offer says; simulations one after the other. */
const capacityOf =
  (models: readonly OpenedModel[], view: MarketView) =>
  (asset: AssetId): number =>
    models.find((model) => model.asset === asset)?.kind === "simulation" ? 1 : view.capacity(asset);

/** Gas for the defence of the longest answer of any model. */
const gasOfDefences = (models: readonly OpenedModel[]): bigint =>
  BigInt(Math.max(0, ...models.map(({ program, context }) => Number(gasOfDefence(program, context)))));

/** How long the last bytes of ended streams may take to leave. */
const CLOSE_MS = 2_000;

async function closeNow(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
}
