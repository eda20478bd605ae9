import { type AssetId, baseUnits, parseAmount, toAssetId } from "@foldmark/protocol";
import { createLogger } from "@foldmark/service";
import { families, openPackage } from "@foldmark/workloads";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chainReader } from "../src/chain/chainReader.ts";
import { connectMarket, type Market } from "../src/chain/market.ts";
import { MarketWatch } from "../src/chain/marketWatch.ts";
import { addStake, publishOffer, registerProvider } from "../src/chain/provider.ts";
import { registerModel } from "../src/chain/registerModel.ts";
import { senderOf } from "../src/chain/transact.ts";
import { nodeKey } from "../src/keystore/keystore.ts";
import { aChannelId } from "./builders.ts";
import { aBuyer } from "./buyer.ts";
import { openChain } from "./chain.ts";
import { simulationPackage, tinyChatPackage } from "./tinyPackage.ts";

const KEY = nodeKey(`0x${"0a".repeat(32)}`);
const log = createLogger({ name: "node", level: "silent" });
const nothing = { atLeast: baseUnits(0n) };

let chain: Awaited<ReturnType<typeof openChain>>;
let market: Market;
let asset: AssetId;
let isClosed = false;
let now = Date.now();

beforeAll(async () => {
  chain = await openChain();
  market = await connectMarket({ rpc: [chain.url], deployment: chain.deployment });
  await chain.fund(KEY.address);
});
afterAll(() => (isClosed ? undefined : chain.close()));

const watch = () =>
  MarketWatch.open(
    market,
    { payee: KEY.address, operator: KEY.address, assets: [asset], pollMs: 60_000, maxBlindMs: 60_000 },
    { log, clock: () => now },
  );

describe("MarketWatch", () => {
  it("sees stake and prices as the chain has them", async () => {
    const sender = senderOf(market, KEY.account);
    const model = await openPackage(await simulationPackage(), { families });
    asset = toAssetId(model.assetId);
    const before = await watch();
    expect({ stake: before.hasStake(), prices: before.prices(asset), isOperator: before.isOperator }).toEqual({
      ...{ stake: false, prices: undefined, isOperator: true },
    });
    const terms = { royaltyBps: 0, resaleRoyaltyBps: 0, metadataUri: "", packageUris: [], parents: [] };
    await registerModel(market, sender, { model, terms });
    const hardware = { kind: "cpu" as const, device: "a CPU", memoryBytes: 1, tokensPerSecond: 1, measuredAt: 1 };
    await registerProvider(market, sender, { endpoint: "http://127.0.0.1:1", hardware });
    await addStake(market, sender, parseAmount("80"));
    const offer = { priceIn: baseUnits(1n), priceOut: baseUnits(2n), priceUnit: baseUnits(3n), capacity: 1 };
    await publishOffer(market, sender, { payee: KEY.address, asset, terms: offer });
    await before.refresh();
    expect({ stake: before.hasStake(), prices: before.prices(asset) }).toEqual({
      ...{ stake: true, prices: { in: 1n, out: 2n, unit: 3n } },
    });
    before.close();
  });

  it("is read at past blocks by the check of a receipt", async () => {
    const reader = chainReader(market);
    const head = await chain.client.getBlock();
    expect(await reader.offers(asset, head.number)).toMatchObject([
      { provider: KEY.address, isPaused: false, assurance: "exact", prices: { in: 1n, out: 2n, unit: 3n } },
    ]);
    expect(await reader.offers(asset, 1n)).toBeUndefined(); // before there was a market
    expect(await reader.block(head.number)).toEqual({ hash: head.hash, timestamp: head.timestamp });
    expect(await reader.block(head.number + 1_000_000n)).toBeUndefined();
    expect(await reader.alias("nobody", head.number)).toBeUndefined();
  });

  it("sees an exit in a block that replaces one it had looked at", async () => {
    const deep = await connectMarket({ rpc: [chain.url], deployment: chain.deployment, confirmations: 3 });
    const exits: string[] = [];
    const view = await MarketWatch.open(
      deep,
      { payee: KEY.address, operator: KEY.address, assets: [asset], pollMs: 60_000, maxBlindMs: 60_000 },
      { log, clock: () => now, onExit: (id) => exits.push(id) },
    );
    const { configuration } = await tinyChatPackage();
    const buyer = aBuyer(chain, { payee: KEY.address, asset, configuration });
    await buyer.deposit(1_000n);
    await view.refresh();
    const before = await chain.networkHelpers.takeSnapshot();
    await chain.networkHelpers.mine(2);
    await view.refresh();
    await before.restore();
    await buyer.startExit(1_000n);
    await chain.networkHelpers.mine(1);
    await view.refresh();
    expect(exits).toEqual([buyer.channelId]);
    view.close();
  });

  it("says the later of block time and own clock", async () => {
    const view = await watch();
    now = Date.now() + 86_400_000;
    expect(view.now()).toBe(BigInt(Math.floor(now / 1000)));
    now = 0;
    const { timestamp } = await chain.client.getBlock();
    expect(view.now()).toBe(timestamp);
    now = Date.now();
    view.close();
  });

  it("serves a channel that it knows for a while when the chain is gone, and no other", async () => {
    const view = await watch();
    expect(await view.channel(aChannelId(), nothing)).toEqual({ deposit: 0n, pendingExit: 0n, redeemed: 0n });
    isClosed = true;
    await chain.close();
    now += 30_000; // what is remembered is old now
    expect(await view.channel(aChannelId(), nothing)).toEqual({ deposit: 0n, pendingExit: 0n, redeemed: 0n });
    await expect(view.channel(aChannelId(2), nothing)).rejects.toMatchObject({ code: "chain.unreachable" });
    now += 31_000;
    await expect(view.channel(aChannelId(), nothing)).rejects.toMatchObject({ code: "chain.unreachable" });
    view.close();
  });
});
