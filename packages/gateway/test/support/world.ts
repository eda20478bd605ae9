import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { baseUnits, domainOf } from "@foldmark/protocol";
import { createLogger, readMarketTerms } from "@foldmark/service";
import { bytesToHex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { askRunning, createApiKey, gatewayConfig, openStore, startGateway } from "../../src/index.ts";
import { accountAt, connectLocal, deployMarket, marketActor, startAnvil } from "./chain.ts";
import { writeMonteCarlo, writeTinyChat } from "./packages.ts";
import { type Behaviour, type ScriptedProvider, scriptedProvider } from "./scriptedProvider.ts";

export const PRICES = { priceIn: 100_000n, priceOut: 400_000n, priceUnit: 2_000_000n };
const GATEWAY = 9;

/** A chain with the market and three scripted providers, and money for a gateway. */
export async function openProviders() {
  await using undo = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), "foldmark-gateway-"));
  undo.defer(() => rm(folder, { recursive: true, force: true }));
  const anvil = undo.use(await startAnvil());
  const connection = await connectLocal(anvil.url);
  const deployment = await deployMarket(connection);
  const terms = await readMarketTerms(connection.client, deployment);
  const chat = await writeTinyChat(folder);
  const simulation = await writeMonteCarlo(folder);
  const owner = marketActor(connection, deployment, 8);
  await owner.registerModel(chat, "tiny-chat");
  await owner.registerModel(simulation, "european-call");

  const tokenizer = chat.tokenizer();
  let answer = [...tokenizer.encode("the quick brown fox jumps over the lazy dog"), 2];
  let aheadMs = 0;
  const clock = () => Date.now() + aheadMs;
  let script: Behaviour[] = [];
  const claimed = new Uint8Array(16);
  new DataView(claimed.buffer).setBigInt64(0, 104_500n, true);
  new DataView(claimed.buffer).setBigInt64(8, 150n, true);

  const providers: ScriptedProvider[] = [];
  const actors = [1, 2, 3].map((index) => marketActor(connection, deployment, index));
  for (const actor of actors) {
    const provider = await scriptedProvider({
      account: actor.account,
      domain: domainOf(deployment),
      windowSeconds: terms.windowSeconds,
      now: () => BigInt(Math.floor(clock() / 1000)),
      nextBehaviour: () => script.shift() ?? {},
      packages: { chat, simulation },
      answer: () => answer,
      claimed,
    });
    undo.defer(() => provider.close());
    provider.setPrices({
      in: baseUnits(PRICES.priceIn),
      out: baseUnits(PRICES.priceOut),
      unit: baseUnits(PRICES.priceUnit),
    });
    await actor.becomeProvider(provider.url);
    await actor.offer(chat.assetId, PRICES);
    await actor.offer(simulation.assetId, PRICES);
    providers.push(provider);
  }

  await marketActor(connection, deployment, GATEWAY).mint(1_000_000_000n);
  const deploymentFile = join(folder, "deployment.json");
  await writeFile(deploymentFile, JSON.stringify(deployment));
  const secret = accountAt(GATEWAY).getHdKey().privateKey ?? new Uint8Array();
  const account = privateKeyToAccount(bytesToHex(secret));
  const running = undo.move();
  return {
    folder,
    anvil,
    connection,
    deployment,
    deploymentFile,
    clock,
    secret,
    chat,
    simulation,
    tokenizer,
    actors,
    providers,
    account,
    setAnswer(text: string, { stops = true } = {}) {
      answer = [...tokenizer.encode(text), ...(stops ? [2] : [])];
      return answer;
    },
    /** How the next requests to providers are treated, in the order in which they come; those behind are served well. */
    script(...behaviours: Behaviour[]) {
      script = behaviours;
    },
    /** Honest providers that nobody has asked, and a gateway that has forgotten who failed. */
    reset() {
      script = [];
      aheadMs += 2 * 3_600_000;
      for (const provider of providers) provider.reset();
    },
    asked: () => providers.flatMap(({ asked }) => asked),
    cuts: () => providers.flatMap(({ cuts }) => cuts),
    byAddress: (address: string) => {
      const provider = providers.find((candidate) => candidate.address === address);
      if (!provider) throw new Error(`no provider ${address}`);
      return provider;
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

export type World = Awaited<ReturnType<typeof openWorld>>;

/** The same with a gateway in this process, and keys for its callers. */
export async function openWorld({ settings = {} }: { settings?: Record<string, unknown> } = {}) {
  await using undo = new AsyncDisposableStack();
  const market = undo.use(await openProviders());
  const lines: string[] = [];
  const log = createLogger({
    name: "gateway",
    level: "debug",
    destination: { write: (line: string) => void lines.push(line) },
  });
  const config = gatewayConfig.parse({
    rpc: [market.anvil.url],
    deployment: market.deploymentFile,
    packages: [market.chat.dir, market.simulation.dir],
    data: join(market.folder, "data"),
    keystore: "unused",
    listen: "127.0.0.1:0",
    pollMs: 100,
    deadlines: {
      headersMs: 1_500,
      firstTokenMs: 1_500,
      betweenTokensMs: 1_500,
      minTokensPerSecond: 1,
      questionMs: 2_000,
    },
    ...settings,
  });
  await mkdir(config.data);
  const store = await openStore({ folder: join(config.data, "db") });
  const newKey = (name: string, budget: bigint) =>
    createApiKey(store, { name, budget: baseUnits(budget), nowMs: Date.now() });
  const keys = {
    rich: await newKey("rich", 1_000_000_000n),
    poor: await newKey("poor", 3n),
    tight: await newKey("tight", 200n),
    other: await newKey("other", 1_000_000n),
  };
  await store.destroy();
  const gateway = await startGateway(config, { log, key: market, now: market.clock });
  undo.defer(() => gateway.stop());
  const running = undo.move();
  return {
    ...market,
    gateway,
    keys,
    log: lines,
    /** As `foldmark-gateway keys list` prints them. */
    keyList: async () =>
      (await askRunning(config.data, { method: "GET", path: "/keys" })) as {
        keys: { id: string; name: string; spent: string; reserved: string; budget: string; revoked: boolean }[];
      },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}
