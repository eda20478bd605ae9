import { cpSync, writeFileSync } from "node:fs";
import path from "node:path";
import { type AssetId, parseAmount, paymentEventCodec, recoverAnswerSigner } from "@foldmark/protocol";
import { providerRegistryAbi } from "@foldmark/protocol/abi";
import { createLogger } from "@foldmark/service";
import type { LlamaConfiguration } from "@foldmark/workloads";
import type { Address } from "viem";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { runCli } from "../src/cli.ts";
import { readConfig } from "../src/config.ts";
import { homeOf } from "../src/home.ts";
import { nodeKey, openKeystore } from "../src/keystore/keystore.ts";
import { type RunningNode, startNode } from "../src/node.ts";
import { aFolder } from "./aFolder.ts";
import { aBuyer } from "./buyer.ts";
import { openChain } from "./chain.ts";
import { eventsOf } from "./servedNode.ts";
import { tinyChatPackage } from "./tinyPackage.ts";

const PASSWORD = "correct horse battery";
const log = createLogger({ name: "node", level: "error" });

let chain: Awaited<ReturnType<typeof openChain>>;
let tiny: { folder: string; configuration: LlamaConfiguration };
const home = aFolder();
const passwordFile = path.join(aFolder(), "password");
const deploymentFile = path.join(aFolder(), "deployment.json");
let payee: Address;
let asset: AssetId;
let node: RunningNode;

const foldmark = (...args: string[]) => foldmarkIn(home, args);

async function foldmarkIn(folder: string, args: string[]) {
  let out = "";
  let err = "";
  const exit = await runCli([...args, "--json"], {
    variables: { FOLDMARK_HOME: folder },
    isTerminal: false,
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
  });
  return { exit, err, ...JSON.parse(out) };
}

async function start(folder = home): Promise<RunningNode> {
  const place = homeOf({ FOLDMARK_HOME: folder });
  const config = await readConfig(place, { variables: {}, flags: { "network.pollMs": 100 } });
  return startNode({ home: place, config, key: await openKeystore(config.signer.keystore, PASSWORD) }, { log });
}

beforeAll(async () => {
  chain = await openChain();
  tiny = await tinyChatPackage();
  writeFileSync(passwordFile, PASSWORD);
  writeFileSync(deploymentFile, JSON.stringify(chain.deployment));
});
afterAll(async () => {
  await node?.close();
  await chain?.close();
});

const networkFlags = () => ["--rpc", chain.url, "--deployment", deploymentFile, "--password-file", passwordFile];
const initFlags = () => [
  ...["init", "--quick", "--yes", ...networkFlags()],
  ...["--model", tiny.folder, "--price-in", "0.10", "--price-out", "0.40", "--stake", "100", "--listen", "127.0.0.1:0"],
];

describe("a provider's life", () => {
  it("starts with a key that needs gas, and says whose", async () => {
    const failed = await foldmark(...initFlags());
    expect(failed).toMatchObject({ ok: false, exit: 6, error: { code: "chain.insufficient_funds" } });
    payee = failed.error.details.address;
    await chain.fund(payee);
  });

  it("registers its model as an asset, once", async () => {
    const first = await foldmark("models", "register", tiny.folder, "--royalty-bps", "500");
    expect(first).toMatchObject({ ok: true, data: { outcome: "registered", licence: "Apache-2.0" } });
    asset = first.data.asset;
    expect(await foldmark("models", "register", "tiny")).toMatchObject({ ok: true, data: { outcome: "known", asset } });
  });

  it("registers, stakes and offers, and does nothing the second time", async () => {
    const done = await foldmark(...initFlags());
    expect(done).toMatchObject({
      ok: true,
      data: {
        address: payee,
        registered: "registered",
        staked: "100000000",
        offers: [{ outcome: "published", priceIn: "100000", priceOut: "400000" }],
      },
    });
    expect(done.data.hardware.tokensPerSecond).toBeGreaterThan(1);
    expect(await foldmark(...initFlags())).toMatchObject({
      data: { registered: "unchanged", staked: "0", offers: [{ outcome: "unchanged" }] },
    });
    const registered = await chain.client.readContract({
      ...{ address: chain.deployment.contracts.providers, abi: providerRegistryAbi },
      ...{ functionName: "providerOf", args: [payee] },
    });
    expect(registered.hardware.decodeMilliTokensPerSecond).toBeGreaterThan(1_000);
  });

  it("keeps published prices that nobody mentions, and asks with all of them", async () => {
    expect(await foldmark("init", "--yes", "--stake", "100")).toMatchObject({
      data: { offers: [{ outcome: "unchanged", priceIn: "100000", priceOut: "400000" }] },
    });
    const unconfirmed = await foldmark("init", "--stake", "100", "--price-in", "0.20");
    expect(unconfirmed.error.details.question).toContain("offer tiny for 0.2 in, 0.4 out, 0 a step");
    const priceIn = async (...flags: string[]) => (await foldmark("offers", "set", "tiny", ...flags)).data;
    expect(await priceIn("--in", "0.20", "--capacity", "2")).toMatchObject({
      ...{ outcome: "published", priceIn: "200000", priceOut: "400000", capacity: 2 },
    });
    expect(await priceIn()).toMatchObject({ outcome: "unchanged", priceIn: "200000", capacity: 2 });
    expect(await priceIn("--in", "0.10")).toMatchObject({ outcome: "published", priceIn: "100000", capacity: 2 });
  });

  it("listens on a free port and moves its endpoint there", async () => {
    node = await start();
    const { endpoint } = await chain.client.readContract({
      ...{ address: chain.deployment.contracts.providers, abi: providerRegistryAbi },
      ...{ functionName: "providerOf", args: [payee] },
    });
    expect(endpoint).toBe(node.url);
    expect(await foldmark("status")).toMatchObject({
      exit: 0,
      data: { state: "IDLE", payee, stake: { isEnough: true }, models: [{ name: "tiny", isOffered: true }] },
    });
  });

  it("refuses a second node on its ledger, naming this process", async () => {
    await expect(start()).rejects.toMatchObject({
      code: "store.locked",
      message: expect.stringContaining(String(process.pid)),
    });
  });

  it("refuses a second ledger of the same payee while this one answers at the registered endpoint", async () => {
    const copy = aFolder();
    cpSync(home, copy, { recursive: true, filter: (file) => !file.includes("ledger") && !file.endsWith(".sock") });
    await expect(start(copy)).rejects.toMatchObject({
      code: "store.locked",
      message: expect.stringContaining(node.endpoint),
    });
  });

  it("refuses a key that its payee has not named operator", async () => {
    const place = homeOf({ FOLDMARK_HOME: aFolder() });
    const config = await readConfig(homeOf({ FOLDMARK_HOME: home }), { variables: {} });
    const stranger = nodeKey(`0x${"0d".repeat(32)}`);
    await node.drain();
    await expect(
      startNode({ home: place, config: { ...config, payee }, key: stranger }, { log }),
    ).rejects.toMatchObject({
      ...{ code: "config.invalid", message: expect.stringContaining(stranger.address) },
    });
    node = await start();
  });

  it("answers a voucher on a channel with a deposit, and is paid for it", async () => {
    const buyer = aBuyer(chain, { payee, asset, configuration: tiny.configuration });
    const early = await buyer.ask(node.url, { limit: 20, ceiling: 9n });
    expect({ status: early.status, body: await early.json() }).toMatchObject({
      ...{ status: 402, body: { error: { code: "channel.exhausted" }, channel: { deposit: "0" } } },
    });
    await buyer.deposit(parseAmount("1"));
    const response = await buyer.ask(node.url, { limit: 20, ceiling: 9n });
    expect(response.status).toBe(200);
    const events = [];
    for await (const event of eventsOf(response)) if (event.event !== "comment") events.push(event);
    const payment = z.decode(paymentEventCodec, events.at(-1)?.data as z.input<typeof paymentEventCodec>);
    expect(await recoverAnswerSigner(buyer.domain, payment)).toBe(payee);
    expect(payment.answer.charged).toBe(9n); // ceil((3 * 100,000 + 20 * 400,000) / 10^6)

    const redeemed = await foldmark("redeem");
    expect(redeemed.data).toMatchObject({ total: "9", redemptions: [{ rows: [{ status: "redeemed", paid: "9" }] }] });
    expect((await foldmark("redeem")).data).toMatchObject({ total: "0", redemptions: [] });
    expect((await foldmark("status")).data.money).toEqual({ signed: "0", held: "9", ready: "0" });
  });

  it("collects what has left its hold", async () => {
    expect((await foldmark("collect")).data).toEqual({ collected: "0" });
    await chain.networkHelpers.time.increase(2 * 1_200 + 1);
    expect((await foldmark("collect")).data).toMatchObject({ collected: "9" });
  });

  it("redeems at once what a leaving payer owes", async () => {
    const buyer = aBuyer(chain, { payee, asset, configuration: tiny.configuration });
    await (await buyer.ask(node.url, { limit: 20, ceiling: 18n })).text();
    expect((await foldmark("status")).data.money.signed).toBe("9");
    await buyer.startExit(parseAmount("1"));
    await expect
      .poll(async () => (await foldmark("status")).data.money, { timeout: 20_000, interval: 200 })
      .toEqual({ signed: "0", held: "9", ready: "0" });
  });

  it("drains, and its ledger and chain are as they were when it starts again", async () => {
    const { instance } = node;
    await node.drain();
    await expect(fetch(`${node.url}/health`)).rejects.toThrow();
    expect(await foldmark("status")).toMatchObject({ exit: 5, data: { state: "STOPPED", owed: "0" } });
    node = await start();
    expect(node.instance).toBe(instance);
  });
});

describe("a provider without a model", () => {
  it("registers and stakes nothing, and is measured when it gets one", async () => {
    const folder = aFolder();
    const keys = await foldmarkIn(folder, ["init", "--keys-only", ...networkFlags()]);
    await chain.fund(keys.data.address);
    expect(await foldmarkIn(folder, ["init", "--yes", "--stake", "100"])).toMatchObject({
      ok: true,
      data: { registered: "registered", staked: "0", hardware: { tokensPerSecond: 0 } },
    });
    const withModel = ["init", "--yes", "--stake", "100", "--model", tiny.folder];
    expect(await foldmarkIn(folder, withModel)).toMatchObject({
      exit: 2,
      error: { code: "cli.usage", details: { missing: ["--price-in", "--price-out"] } },
    });
    expect(await foldmarkIn(folder, [...withModel, "--price-in", "0", "--price-out", "0.40"])).toMatchObject({
      data: { registered: "updated", staked: "100000000", offers: [{ priceIn: "0", priceOut: "400000" }] },
    });
    const { hardware } = await chain.client.readContract({
      ...{ address: chain.deployment.contracts.providers, abi: providerRegistryAbi },
      ...{ functionName: "providerOf", args: [keys.data.address] },
    });
    expect(hardware.decodeMilliTokensPerSecond).toBeGreaterThan(1_000);
  });
});
