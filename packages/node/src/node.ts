import { createServer, type Server } from "node:http";
import { codeOf, domainOf, FoldmarkError, isSameAddress, parseAmount } from "@foldmark/protocol";
import { drain, type Logger, listen, parseListenAddress } from "@foldmark/service";
import type { Address } from "viem";
import { connectMarket, type Market, readDeployment, readProvider, readStake } from "./chain/market.ts";
import { MarketWatch } from "./chain/marketWatch.ts";
import { updateEndpoint } from "./chain/provider.ts";
import { type Sender, senderOf } from "./chain/transact.ts";
import type { NodeConfig } from "./config.ts";
import { serveControl } from "./control/server.ts";
import { checkAlone } from "./doppelganger.ts";
import type { AnswerEngine } from "./engine/answerEngine.ts";
import { type OpenedModel, openModel } from "./engine/openModel.ts";
import { WorkerEngine } from "./engine/workerEngine.ts";
import type { Home } from "./home.ts";
import type { NodeKey } from "./keystore/keystore.ts";
import { nodeMetrics, watchServing } from "./metrics.ts";
import { collectIncome, readIncome } from "./money/collect.ts";
import { Redeemer } from "./money/redeemer.ts";
import { nodeApp } from "./serving/app.ts";
import type { Health } from "./serving/healthRoute.ts";
import { Runs } from "./serving/runs.ts";
import { Scheduler } from "./serving/scheduler.ts";
import { Ledger } from "./store/ledger.ts";
import { sealedBox } from "./store/sealedBox.ts";

export type NodeOptions = { home: Home; config: NodeConfig; key: NodeKey };

export type NodeDeps = {
  log: Logger;
  /** Milliseconds since 1970. */
  clock?: () => number;
  /** What computes; by default WebAssembly in a thread. */
  openEngine?: (models: readonly OpenedModel[]) => Promise<AnswerEngine>;
};

/** How often vouchers are looked at for redemption, and old answers deleted. */
const HOUSEKEEPING_MS = 5_000;

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

export type NodeStatus = {
  state: "SERVING" | "IDLE" | "DEGRADED" | "DRAINING";
  payee: Address;
  endpoint: string;
  models: { asset: string; name: string; isOffered: boolean }[];
  running: number;
  queued: number;
  uptimeSeconds: number;
  money: { signed: string; held: string; ready: string };
  stake: { amount: string; unbonding: string; isEnough: boolean };
  openAnswers: number;
  todo: string[];
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
  const openEngine = deps.openEngine ?? ((served) => WorkerEngine.open({ models: served }, { log }));
  const engine = await openEngine(models);
  opened.defer(() => engine.close());

  const sender = senderOf(market, key.account);
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

  let health: Health = "starting";
  const scheduler = new Scheduler({ limit: config.serve.queue });
  const runs = new Runs();
  const metrics = nodeMetrics({ scheduler, ledger });
  const app = nodeApp({
    ...{ payee, operator: key.address, domain, key, ledger, market: view, engine, scheduler, runs, log },
    models: new Map(models.map((model) => [model.asset as string, model])),
    minimumDeposit: parseAmount(config.money.minimumDeposit),
    metrics: metrics.registry,
    watch: watchServing({ metrics, log, ledger }),
    health: () => health,
    checkOpen: () => checkOpen(health, view),
  });
  const server = createServer(app);
  const { url, port } = await listen(server, parseListenAddress(config.serve.listen));
  opened.defer(() => closeNow(server));
  const endpoint = config.serve.endpoint === "auto" ? url : config.serve.endpoint;
  await publishEndpoint(market, sender, { payee, endpoint, log });

  const startedAt = clock();
  const status = () => describe({ payee, endpoint, models, scheduler, ledger, market, view, health, startedAt, clock });
  const control = await serveControl(home.socket, {
    status,
    redeem: () => redeemer.redeemAll(),
    collect: () => collectIncome(market, sender, payee),
  });
  opened.defer(() => closeNow(control));
  const housekeeping = setInterval(() => {
    ledger.prune(Number(view.now() - market.terms.clocksSeconds));
    if (config.money.redeem === "auto")
      redeemer
        .redeemDue()
        .catch((error) => log.warn({ code: codeOf(error) }, "vouchers could not be redeemed; it is tried again"));
  }, HOUSEKEEPING_MS);
  opened.defer(() => clearInterval(housekeeping));

  health = "ok";
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

/** How long the last bytes of ended streams may take to leave. */
const CLOSE_MS = 2_000;

async function openModels({ models }: NodeConfig): Promise<OpenedModel[]> {
  if (models.length === 0)
    throw new FoldmarkError("config.invalid", "No model is configured.", {
      hint: "Run `foldmark init --model PACKAGE_DIR`, or list package folders under `models` in foldmark.yaml.",
    });
  const opened: OpenedModel[] = [];
  for (const folder of models) opened.push(await openModel(folder));
  return opened;
}

/** @throws `config.invalid` before `init` has registered the payee, `store.locked` when another node of it serves */
async function checkRegistered(market: Market, { payee, ledger }: { payee: Address; ledger: Ledger }): Promise<void> {
  const registered = await readProvider(market, payee);
  if (!registered)
    throw new FoldmarkError(
      "config.invalid",
      `The provider ${payee} is not registered on chain ${market.deployment.chainId}.`,
      {
        hint: "Run `foldmark init`.",
      },
    );
  if (URL.canParse(registered.endpoint)) await checkAlone(registered.endpoint, { payee, instance: ledger.instance });
}

function checkOperator(view: MarketWatch, { payee, operator }: { payee: Address; operator: Address }): void {
  if (view.isOperator) return;
  throw new FoldmarkError(
    "config.invalid",
    `The key ${operator} is no operator of ${payee}: nobody would take its answers.`,
    {
      hint: "Let the payee call setOperator for it, or start with another keystore.",
    },
  );
}

function checkOpen(health: Health, view: MarketWatch): void {
  if (health === "starting") throw new FoldmarkError("node.starting", "The node is starting.");
  if (health === "draining" || !view.isOperator)
    throw new FoldmarkError("node.draining", "The node takes no more requests.", { hint: "Ask another provider." });
}

/** Only the payee may move its endpoint; an operator's node says so and goes on serving. */
async function publishEndpoint(
  market: Market,
  sender: Sender,
  { payee, endpoint, log }: { payee: Address; endpoint: string; log: Logger },
): Promise<void> {
  if (isSameAddress(payee, sender.account.address)) {
    if ((await updateEndpoint(market, sender, endpoint)) === "updated")
      log.info({ endpoint }, "the endpoint was updated");
    return;
  }
  const registered = (await readProvider(market, payee))?.endpoint;
  if (registered !== endpoint)
    log.warn({ endpoint, registered }, "the chain shows another endpoint; only the payee's key can change it");
}

async function closeNow(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
}

type Described = {
  payee: Address;
  endpoint: string;
  models: readonly OpenedModel[];
  scheduler: Scheduler;
  ledger: Ledger;
  market: Market;
  view: MarketWatch;
  health: Health;
  startedAt: number;
  clock: () => number;
};

async function describe(node: Described): Promise<NodeStatus> {
  const { payee, endpoint, models, scheduler, ledger, market, view, health, startedAt, clock } = node;
  const [income, stake] = await Promise.all([readIncome(market, payee), readStake(market, payee)]);
  const signed = ledger.claims().reduce((sum, { amount, redeemed }) => sum + (amount - redeemed), 0n);
  const offered = models.map(({ asset, name }) => ({ asset, name, isOffered: view.prices(asset) !== undefined }));
  const todo = [
    ...offered
      .filter(({ isOffered }) => !isOffered)
      .map(({ name }) => `${name} has no offer: run \`foldmark offers set ${name} --in .. --out ..\``),
    ...(view.hasStake() ? [] : ["the stake is too low to serve: run `foldmark stake add AMOUNT`"]),
  ];
  const isServing = scheduler.running + scheduler.queued > 0;
  const working = todo.length > 0 ? "DEGRADED" : isServing ? "SERVING" : "IDLE";
  return {
    state: health === "draining" ? "DRAINING" : working,
    ...{ payee, endpoint, models: offered, running: scheduler.running, queued: scheduler.queued },
    uptimeSeconds: Math.round((clock() - startedAt) / 1000),
    money: { signed: signed.toString(), held: income.held.toString(), ready: income.ready.toString() },
    stake: { amount: stake.amount.toString(), unbonding: stake.unbonding.toString(), isEnough: view.hasStake() },
    ...{ openAnswers: ledger.openAnswers(), todo },
  };
}
