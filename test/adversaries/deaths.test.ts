// Processes that die, hang and lie in a market of real processes: what callers see, and that the money adds up.
import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { parseAmount } from "@foldmark/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { ask, client } from "../../scripts/demo/ask.ts";
import { chainSeen } from "../../scripts/demo/chainTime.ts";
import { gatewayCommand, startServer } from "../../scripts/demo/foldmark.ts";
import { makeHome } from "../../scripts/demo/homes.ts";
import type { Running } from "../../scripts/demo/processes.ts";
import type { Home, Provider, Served, Stage } from "../../scripts/demo/stage.ts";
import { working } from "../../scripts/demo/steps/failover.ts";
import { dataOf, serveGateway } from "../../scripts/demo/steps/gateway.ts";
import { CHAT_ALIAS } from "../../scripts/demo/steps/model.ts";
import { DOLLAR, joinMarket, readyLine, serve } from "../../scripts/demo/steps/providers.ts";
import { settlementStep } from "../../scripts/demo/steps/settlement.ts";
import { foldmark } from "../support/programs.ts";
import { openTinyMarket, quiet, type TinyMarket } from "../support/tinyMarket.ts";

const OFFER = { in: "0.10", out: "0.40", unit: "20" };
const CHEAPER = { in: "0.05", out: "0.20", unit: "10" };
const FALSE_TOKEN = 3;
const QUESTION = "the house of the fox";
/** Longer than a process takes to be killed. */
const LONG = 3_000;
const PIECES = 5;

let market: TinyMarket;
let stage: Stage;
let ada: Provider;
let blaise: Provider;
let gatewayHome: Home;
let gateway: Running;
/** What the gateway's sums said before it lost them. */
const forgotten = { borne: 0n, spent: 0n };
beforeAll(async () => {
  process.env.FOLDMARK_NETWORK_POLL_MS = "100"; // for every node below
  market = await openTinyMarket();
  ({ stage } = market);
  ada = await market.open("ada", OFFER);
  blaise = await market.open("blaise", OFFER);
  gatewayHome = await makeHome(stage, { name: "gateway", dollars: 500n * DOLLAR });
  const settings = "deadlines: { headersMs: 5000, betweenTokensMs: 1000, questionMs: 2000 }\npollMs: 100\n";
  writeFileSync(path.join(gatewayHome.folder, "settings.yaml"), settings);
  await startGateway();
});
afterAll(async () => {
  delete process.env.FOLDMARK_NETWORK_POLL_MS;
  await market?.[Symbol.asyncDispose]();
});

/** Starts the gateway on its folder; the API key of an earlier run goes on counting. */
async function startGateway(): Promise<void> {
  const flags = ["--config", path.join(gatewayHome.folder, "settings.yaml")];
  const { process, ready } = await serveGateway(stage, gatewayHome, flags);
  gateway = process;
  const apiKey = stage.gateway?.apiKey ?? (await createKey());
  stage.gateway = { url: ready.url, apiKey, address: ready.address as `0x${string}` };
}

async function createKey(): Promise<string> {
  const args = ["keys", "create", "--data", dataOf(gatewayHome), "--name", "test", "--budget", "5.00"];
  return JSON.parse(await gatewayCommand(args)).key;
}

async function restart(provider: Provider): Promise<void> {
  Object.assign(provider, await serve(provider));
  await chainSeen(stage);
}

const keyState = async () => {
  const { keys } = JSON.parse(await gatewayCommand(["keys", "list", "--data", dataOf(gatewayHome)]));
  const { spent, reserved } = keys[0];
  return { spent: parseAmount(spent), reserved: parseAmount(reserved) };
};

const settled = () =>
  expect
    .poll(
      async () => (await (await fetch(`${stage.gateway?.url}/metrics`)).text()).match(/unsettled_vouchers (\d+)/)?.[1],
      {
        timeout: 20_000,
      },
    )
    .toBe("0");

/** What the gateway paid for providers that did not finish. */
const borne = async () => {
  const response = await fetch(`${stage.gateway?.url}/v1/transparency`);
  return BigInt(z.object({ borne: z.string() }).parse(await response.json()).borne);
};

/** Asks for a long answer and does something after its first pieces; what went wrong, if anything did. */
async function interrupted(work: () => Promise<void>): Promise<{ pieces: number; error: unknown }> {
  let pieces = 0;
  try {
    await ask(stage, QUESTION, {
      maxTokens: LONG,
      onText: async () => {
        if (++pieces === PIECES) await work();
      },
    });
    return { pieces, error: undefined };
  } catch (error) {
    return { pieces, error };
  }
}

/** `foldmark verify`, as the caller runs it with what it sent and saw. */
function verifyCommand({ json, body, text }: Served, change: { body?: string; text?: string; apiKey?: string } = {}) {
  const file = (name: string, content: string) => {
    writeFileSync(path.join(stage.work, name), content, { mode: 0o600 });
    return path.join(stage.work, name);
  };
  return foldmark(ada.folder, [
    ...["verify", file("receipt.json", JSON.stringify(json)), "--package", stage.chat?.dir ?? "", "--json"],
    ...["--body", file("body.json", change.body ?? body), "--text", file("text.txt", change.text ?? text)],
    ...["--api-key-file", file("api-key", change.apiKey ?? stage.gateway?.apiKey ?? "")],
  ]);
}

describe("a receipt", () => {
  it("of an honest answer holds", async () => {
    const served = await ask(stage, QUESTION, { maxTokens: 40 });
    const { code, out, err } = await verifyCommand(served);
    expect({ code, err }, out).toEqual({ code: 0, err: "" });
    expect(JSON.parse(out).data).toMatchObject({ ok: true, execution: { equal: true } });
  });

  it.each([
    { behaviour: "for another question", change: (body: string) => ({ body: body.replace("fox", "cat") }) },
    { behaviour: "for a body with one more space", change: (body: string) => ({ body: `${body} ` }) },
    { behaviour: "with another text", change: () => ({ text: "another text" }) },
    { behaviour: "for another caller", change: () => ({ apiKey: "sk-another" }) },
  ])("does not hold $behaviour", async ({ change }) => {
    const [served] = stage.answers;
    if (!served) throw new Error("there is no answer");
    const { code, out } = await verifyCommand(served, change(served.body));
    expect(code, out).toBe(3);
    expect(JSON.parse(out)).toMatchObject({ ok: false, data: { ok: false } });
  });

  it("of a provider that changed a token names the place, and the command ends with 3", async () => {
    const home = await makeHome(stage, { name: "mallory", dollars: 500n * DOLLAR });
    await joinMarket(stage, home, CHEAPER);
    const { process: server, ready } = await startServer("mallory", {
      args: [path.resolve("test/adversaries/lyingProvider.ts"), "--at", String(FALSE_TOKEN)],
      env: { FOLDMARK_HOME: home.folder },
      ready: readyLine,
    });
    stage.providers.push({ ...home, name: "mallory", process: server, url: ready.url, tokensPerSecond: 0 });
    await chainSeen(stage);
    const cap = `in=${parseAmount(CHEAPER.in)}, out=${parseAmount(CHEAPER.out)}`;
    const served = await ask(stage, QUESTION, { maxTokens: 20, headers: { "x-foldmark-max-price": cap } });
    expect(served.receipt.answer.payee).toBe(home.address);
    const { code, out } = await verifyCommand(served);
    expect(code, out).toBe(3);
    expect(JSON.parse(out).data).toMatchObject({
      ok: false,
      execution: { equal: false, rule: "token", position: served.receipt.usage.promptTokens + FALSE_TOKEN },
    });
    const { expected, claimed } = JSON.parse(out).data.execution;
    expect(BigInt(expected.score)).toBeGreaterThan(BigInt(claimed.score));
    await server.stop();
  });
});

describe("a node that hangs", () => {
  it("is replaced inside the stream, and settles for what it gave when it goes on", async () => {
    let hung: Provider | undefined;
    const before = await borne();
    const answer = await ask(stage, QUESTION, {
      maxTokens: LONG,
      onText: async () => {
        if (hung) return;
        hung = await working(stage.providers);
        hung.process.child.kill("SIGSTOP");
      },
    });
    try {
      const skip = answer.receipt.routing.skipped.find(({ provider }) => provider === hung?.address);
      expect(skip).toMatchObject({ reason: "stalled" });
      expect(skip?.tokens).toBeGreaterThan(0);
      expect(answer.receipt.answer.payee).not.toBe(hung?.address);
    } finally {
      hung?.process.child.kill("SIGCONT");
    }
    expect(await verifyCommand(answer)).toMatchObject({ code: 0 });
    await settled();
    expect(await borne()).toBeGreaterThan(before);
  });
});

describe("kill -9", () => {
  it("of the only node in the middle of an answer charges nobody, and both sides go on", async () => {
    await blaise.process.kill();
    const before = { key: await keyState(), borne: await borne() };
    const { pieces, error } = await interrupted(() => ada.process.kill());
    expect(pieces).toBeGreaterThanOrEqual(PIECES);
    expect(error).toBeInstanceOf(Error);
    expect(await keyState()).toEqual({ ...before.key, reserved: parseAmount("0") });

    await restart(ada);
    await settled();
    expect(await borne()).toBe(before.borne); // the node had signed nothing
    const next = await ask(stage, QUESTION, { maxTokens: 30 });
    expect(next.receipt.answer.payee).toBe(ada.address);
    expect((await keyState()).spent).toBe(before.key.spent + next.price);
  });

  it("of the gateway in the middle of an answer pays for the tokens that were sent, once", async () => {
    const before = { key: await keyState(), borne: await borne() };
    const { pieces, error } = await interrupted(() => gateway.kill());
    expect(pieces).toBeGreaterThanOrEqual(PIECES);
    expect(error).toBeInstanceOf(Error);
    await startGateway();
    expect(gateway.output.join("\n")).toContain("vouchers of an earlier run are asked for");
    await settled();
    expect(await borne()).toBeGreaterThan(before.borne);
    expect(await keyState()).toEqual({ ...before.key, reserved: parseAmount("0") }); // its caller never got the answer
    expect((await ask(stage, QUESTION, { maxTokens: 30 })).receipt.answer.payee).toBe(ada.address);
  });

  it("of every node leaves 503 with each one's reason, and nothing charged", async () => {
    await ada.process.kill();
    const before = await keyState();
    const messages = [{ role: "user" as const, content: QUESTION }];
    const asked = client(stage).chat.completions.create({ model: CHAT_ALIAS, messages, max_completion_tokens: 5 });
    const error = await asked.then(
      () => undefined,
      (thrown) => thrown,
    );
    expect(error).toMatchObject({ status: 503, code: "provider.all_failed" });
    const reasons = error.error.providers.map(({ provider, reason }: Record<string, string>) => [provider, reason]);
    expect(Object.fromEntries(reasons)).toMatchObject({
      [ada.address]: "unreachable",
      [blaise.address]: "unreachable",
    });
    expect(await keyState()).toEqual(before);
    for (const provider of [ada, blaise]) await restart(provider);
    await settled();
  });
});

describe("a gateway that has lost its database", () => {
  it("goes on above its own last voucher, which the node shows it", async () => {
    forgotten.borne = await borne();
    forgotten.spent = (await keyState()).spent;
    await gateway.kill();
    rmSync(dataOf(gatewayHome), { recursive: true });
    delete stage.gateway;
    await startGateway();
    for (let i = 0; i < 4; i++) {
      const { receipt } = await ask(stage, `${QUESTION} ${i}`, { maxTokens: 5 });
      const skipped = receipt.routing.skipped.map(({ provider }) => provider);
      expect(skipped.filter((provider) => [ada.address, blaise.address].includes(provider))).toEqual([]);
      const ceilings = stage.answers
        .slice(0, -1)
        .filter((earlier) => earlier.receipt.answer.channelId === receipt.answer.channelId)
        .map((earlier) => earlier.receipt.answer.maxClaimableAmount);
      for (const ceiling of ceilings) expect(receipt.answer.maxClaimableAmount).toBeGreaterThan(ceiling);
    }
  });
});

describe("in the end", () => {
  it("what was redeemed is what was answered and what was borne, to the unit", async () => {
    await ask(stage, QUESTION, { maxTokens: 30 });
    const { figures } = await settlementStep(stage, quiet);
    expect(figures.conserved).toBe(true);
    expect(BigInt(String(figures.received))).toBe(BigInt(String(figures.paid)) + (await borne()) + forgotten.borne);
    expect((await keyState()).spent + forgotten.spent).toBe(BigInt(String(figures.paid)));
    // and again: nothing is paid twice
    expect((await settlementStep(stage, quiet)).figures).toMatchObject({ received: figures.received });
  });
});
