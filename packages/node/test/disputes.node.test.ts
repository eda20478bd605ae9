import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { leafLength, leavesPosition } from "@foldmark/machine";
import { forge } from "@foldmark/machine/testing";
import { type AssetId, parseAmount, parseReceipt, paymentEventCodec, toCompactSignature } from "@foldmark/protocol";
import { createLogger } from "@foldmark/service";
import { families, type LlamaConfiguration, llamaRequest, openPackage, tokenBytes } from "@foldmark/workloads";
import type { Address, Hex } from "viem";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { lyingEngine } from "../../../test/adversaries/lyingEngine.ts";
import { connectMarket } from "../src/chain/market.ts";
import { runCli } from "../src/cli.ts";
import { readConfig } from "../src/config.ts";
import { type CourtReader, openCourt } from "../src/disputes/court/court.ts";
import { buildTrace } from "../src/disputes/traces/buildTrace.ts";
import type { OpenTrace } from "../src/disputes/traces/disputeTrace.ts";
import { localTrace } from "../src/disputes/traces/localTrace.ts";
import { type OpenedModel, openModel } from "../src/engine/openModel.ts";
import { WorkerEngine } from "../src/engine/workerEngine.ts";
import { homeOf } from "../src/home.ts";
import { openKeystore } from "../src/keystore/keystore.ts";
import { type NodeDeps, type RunningNode, startNode } from "../src/node.ts";
import { aFolder } from "./aFolder.ts";
import { receiptOf } from "./aReceipt.ts";
import { aBuyer, PROMPT } from "./buyer.ts";
import { openChain } from "./chain.ts";
import { eventsOf } from "./servedNode.ts";
import { tinyChatPackage } from "./tinyPackage.ts";

const PASSWORD = "correct horse battery";
const lines: Record<string, unknown>[] = [];
const log = createLogger({ name: "node", destination: { write: (line) => lines.push(JSON.parse(line)) } });
const LIMIT = 12;

let chain: Awaited<ReturnType<typeof openChain>>;
let court: CourtReader;
let tiny: { folder: string; configuration: LlamaConfiguration };
let model: OpenedModel;
let payee: Address;
let asset: AssetId;
let node: RunningNode | undefined;
let buyer: ReturnType<typeof aBuyer>;
let ceiling = 0n;
const [home, challengerHome] = [aFolder(), aFolder()];
const files = aFolder();
const at = (name: string) => path.join(files, name);

async function foldmark(folder: string, args: string[]) {
  let out = "";
  let err = "";
  const exit = await runCli(args, {
    ...{ variables: { FOLDMARK_HOME: folder, FOLDMARK_NETWORK_POLL_MS: "100" }, isTerminal: false },
    out: (text) => (out += text),
    err: (text) => (err += text),
  });
  return { exit, err, out, json: args.includes("--json") ? JSON.parse(out) : undefined };
}

const flags = () => ["--rpc", chain.url, "--deployment", at("deployment.json"), "--password-file", at("password")];

async function start(deps: Partial<NodeDeps> = {}): Promise<RunningNode> {
  await node?.close();
  lines.splice(0);
  const place = homeOf({ FOLDMARK_HOME: home });
  const config = await readConfig(place, { variables: {}, flags: { "network.pollMs": 100 } });
  node = await startNode(
    { home: place, config, key: await openKeystore(config.signer.keystore, PASSWORD) },
    { log, ...deps },
  );
  return node;
}

const liar: Partial<NodeDeps> = {
  openEngine: async (models) => lyingEngine(await WorkerEngine.open({ models }, { log }), { at: 3 }),
};

/** The trace of whoever would rather not be found out: its last stage says 1 everywhere. */
const forgedOpenTrace: OpenTrace = async ({ folder, ...job }) => {
  const { program, constants } = await openPackage(folder, { families, verify: "once" });
  const stage = program.stages.length - 1;
  const of = { stage, fold: 0, t: 0 };
  const list = leavesPosition(program, of, job.T);
  const changes = Array.from({ length: list.length }, (_, index) => ({
    ...{ of, index },
    bytes: new Uint8Array(leafLength({ ...list, height: 0, index })).fill(1),
  }));
  const trace = forge(await buildTrace(program, constants, job), { program, changes });
  return localTrace(trace, { program, constants, job });
};

/** Buys an answer and writes its receipt to a file. */
async function buy(running: RunningNode, name: string): Promise<string> {
  ceiling += 100n;
  const response = await buyer.ask(running.url, { limit: LIMIT, ceiling });
  expect(response.status).toBe(200);
  const tokens: number[] = [];
  let event: { event: string; data: unknown } = { event: "none", data: undefined };
  for await (event of eventsOf(response))
    if (event.event === "tokens") tokens.push(...z.object({ tokens: z.array(z.number()) }).parse(event.data).tokens);
  expect(event.event).toBe("payment");
  const payment = z.decode(paymentEventCodec, event.data as z.input<typeof paymentEventCodec>);
  const receipt = await receiptOf({
    ...{ payment, model, channel: buyer.channel, deployment: chain.deployment, promptTokens: PROMPT.length },
    request: llamaRequest({ prompt: PROMPT, limit: LIMIT, temperature: 0.8, minP: 0, seed: 5n }, tiny.configuration),
    claimed: [tokenBytes([...PROMPT, ...tokens])],
    penalty: court.market.terms.penalty,
  });
  writeFileSync(at(name), JSON.stringify(receipt));
  return at(name);
}

const challenge = (receipt: string, ...more: string[]) =>
  foldmark(challengerHome, ["challenge", receipt, "--yes", "--json", "--package", tiny.folder, ...more]);

beforeAll(async () => {
  chain = await openChain();
  tiny = await tinyChatPackage();
  model = await openModel(tiny.folder);
  court = await openCourt(await connectMarket({ rpc: [chain.url], deployment: chain.deployment }));
  writeFileSync(at("password"), PASSWORD);
  writeFileSync(at("deployment.json"), JSON.stringify(chain.deployment));
  const keys = async (folder: string) =>
    (await foldmark(folder, ["init", "--keys-only", "--json", ...flags()])).json.data.address as Address;
  payee = await keys(home);
  const challenger = await keys(challengerHome);
  await chain.fund(payee);
  await chain.fund(challenger);
  const minted = [challenger, parseAmount("20")] as const;
  const token = await chain.viem.getContractAt("TestUSD", chain.deployment.contracts.token);
  await token.write.mint([...minted]);
  asset = (await foldmark(home, ["models", "register", tiny.folder, "--json"])).json.data.asset;
  const init = [
    "init",
    "--quick",
    "--yes",
    "--json",
    "--model",
    tiny.folder,
    "--stake",
    "120",
    "--listen",
    "127.0.0.1:0",
  ];
  await foldmark(home, [...init, "--price-in", "0.10", "--price-out", "0.40"]);
  buyer = aBuyer(chain, { payee, asset, configuration: tiny.configuration });
  await buyer.deposit(parseAmount("1"));
}, 120_000);
afterAll(async () => {
  await node?.close();
  await chain?.close();
});

describe("foldmark challenge", () => {
  it("refuses to challenge an answer that is true", async () => {
    const receipt = await buy(await start(), "true.json");
    expect((await challenge(receipt)).json).toMatchObject({ ok: false, exit: 3, error: { code: "check.failed" } });
  });

  it("says what it costs and asks", async () => {
    const receipt = await buy(await start({ ...liar, openTrace: forgedOpenTrace }), "lie.json");
    const asked = await foldmark(challengerHome, ["challenge", receipt, "--package", tiny.folder]);
    expect(asked).toMatchObject({ exit: 3 });
    expect(asked.err).toContain("bond          2 TUSD");
    expect(asked.err).toContain("Give --yes");
  });

  it("convicts a node that shows its forged tree in one refutation", async () => {
    const { json } = await challenge(at("lie.json"));
    expect(json).toMatchObject({ ok: true, data: { result: "convicted", paid: String(parseAmount("4.5")) } });
    const moves = json.data.moves.map(({ move }: { move: string }) => move);
    expect(moves).toEqual(["approve", "challenge", "refute", "takeBond", "withdraw", "withdrawReward"]);
    const shown = await foldmark(challengerHome, ["disputes", "show", json.data.id.slice(0, 12)]);
    expect(shown.out).toContain("posts the root of its trace");
    expect((await foldmark(challengerHome, ["disputes", "list", "--json"])).json.data.disputes).toMatchObject([
      { turn: "won", payee },
    ]);
  });

  it("asks for everything at the court where it is told to", async () => {
    const receipt = await buy(await start({ ...liar, openTrace: forgedOpenTrace }), "lie2.json");
    const { json } = await challenge(receipt, "--no-node");
    const moves: { move: string; gasUsed: string }[] = json.data.moves;
    expect(json.data.result).toBe("convicted");
    expect(moves.filter(({ move }) => move === "ask").length).toBeGreaterThan(1);
    const shown = await foldmark(challengerHome, ["disputes", "show", json.data.id]);
    expect(shown.out).toMatch(/asks for stages 0 to 44 of 45 .*\n.*shows 12 nodes 4 levels under stages 0 to 44/);
  });
});

describe("a node that finds its own answer false", () => {
  it("says so, serves no more, and spends nothing on the lost game", async () => {
    const receipt = await buy(await start(liar), "mistake.json");
    const convicted = challenge(receipt);
    await expect
      .poll(() => lines.some(({ msg }) => String(msg).startsWith("OUR ANSWER IS FALSE")), { timeout: 30_000 })
      .toBe(true);
    expect((await buyer.ask(node?.url ?? "", { limit: LIMIT, ceiling: ceiling + 100n })).status).toBe(503);
    const status = (await foldmark(home, ["status", "--json"])).json.data;
    expect(status).toMatchObject({ state: "DEGRADED", disputes: { open: 1, falseAnswers: 1 } });
    // clocks of one payee end at least a step apart
    await chain.networkHelpers.time.increase(2n * court.terms.payeeClockSeconds);
    expect((await convicted).json).toMatchObject({ ok: true, data: { result: "convicted" } });
    expect(lines.filter(({ move }) => move !== undefined)).toEqual([]);
  });
});

describe("an honest node", () => {
  it("defends a true answer to the end and gets half of the bond", async () => {
    const running = await start();
    await buy(running, "right.json");
    const { data } = (await foldmark(home, ["status", "--json"])).json;
    expect(data.defencesAffordable).toBeGreaterThan(0);
    const hostile = await chain.viem.getContractAt("Court", chain.deployment.contracts.court);
    const [, , stranger] = await chain.viem.getWalletClients();
    if (!stranger) throw new Error("the chain has too few accounts");
    const account = stranger.account;
    const token = await chain.viem.getContractAt("TestUSD", chain.deployment.contracts.token);
    await token.write.mint([account.address, court.terms.bond]);
    await token.write.approve([court.contract.address, court.terms.bond], { account });
    const { answer, answerSignature, preimage } = parseReceipt(JSON.parse(readFileSync(at("right.json"), "utf8")));
    const { r, vs } = toCompactSignature(answerSignature as Hex);
    await hostile.write.challenge([answer, r, vs, preimage], { account });
    await expect.poll(() => lines.some(({ move }) => move === "post"), { timeout: 30_000 }).toBe(true);
    await chain.networkHelpers.time.increase(court.terms.challengerClockSeconds + 1n);
    await expect.poll(() => lines.some(({ move }) => move === "timeout"), { timeout: 30_000 }).toBe(true);
    expect((await court.creditsOf(payee)).court).toBe(court.terms.bond / 2n);
  });
});
