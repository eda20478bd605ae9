import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type AssetId, parseAmount, paymentEventCodec } from "@foldmark/protocol";
import type { LlamaConfiguration } from "@foldmark/workloads";
import type { Address } from "viem";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { aFolder } from "./aFolder.ts";
import { aBuyer } from "./buyer.ts";
import { openChain } from "./chain.ts";
import { eventsOf } from "./servedNode.ts";
import { tinyChatPackage } from "./tinyPackage.ts";

const MAIN = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const home = aFolder();
const children = new Set<ChildProcess>();

let chain: Awaited<ReturnType<typeof openChain>>;
let tiny: { folder: string; configuration: LlamaConfiguration };
let payee: Address;
let asset: AssetId;
let buyer: ReturnType<typeof aBuyer>;
let ceiling = 0n;

/** Runs `foldmark` as a process of its own. */
function run(args: string[], variables: Record<string, string> = {}) {
  const env = { PATH: process.env.PATH ?? "", FOLDMARK_HOME: home, FOLDMARK_NETWORK_POLL_MS: "100", ...variables };
  const child = spawn(process.execPath, [MAIN, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  children.add(child);
  const log: string[] = [];
  const lines = createInterface({ input: child.stderr });
  lines.on("line", (line) => log.push(line));
  let out = "";
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  const exited = once(child, "close").then(([code, signal]) => ({ code, signal, out, log }));
  void exited.then(() => children.delete(child));
  return { child, exited, lines, log };
}

/** Waits for the line that says that a node serves. */
async function serving({ lines, exited }: ReturnType<typeof run>): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  lines.on("line", (line) => {
    const record = JSON.parse(line);
    if (record.event === "ready") resolve(record.url);
  });
  void exited.then(({ log }) => reject(new Error(log.join("\n"))));
  return promise;
}

const json = async (args: string[]) => JSON.parse((await run([...args, "--json"]).exited).out);

/** A new request, for more tokens than come in a moment. */
async function ask(url: string, limit = 3_000) {
  ceiling += 5_000n;
  return { ceiling, events: eventsOf(await buyer.ask(url, { limit, ceiling })) };
}

async function tokensFrom(events: AsyncGenerator<{ event: string; data: unknown }>, atLeast: number) {
  let count = 0;
  while (count < atLeast) {
    const { value } = await events.next();
    if (value?.event === "tokens") count += z.object({ tokens: z.array(z.number()) }).parse(value.data).tokens.length;
  }
}

beforeAll(async () => {
  chain = await openChain();
  tiny = await tinyChatPackage({ maxT: 4_096 });
  const passwordFile = path.join(aFolder(), "password");
  const deploymentFile = path.join(aFolder(), "deployment.json");
  writeFileSync(passwordFile, "correct horse battery");
  writeFileSync(deploymentFile, JSON.stringify(chain.deployment));
  const flags = [
    ...["--rpc", chain.url, "--deployment", deploymentFile, "--password-file", passwordFile, "--model", tiny.folder],
    ...["--price-in", "0.10", "--price-out", "0.40", "--listen", "127.0.0.1:0"],
  ];
  payee = (await json(["init", "--quick", "--keys-only", ...flags])).data.address;
  await chain.fund(payee);
  asset = (await json(["models", "register", "tiny"])).data.asset;
  expect(await json(["init", "--quick", "--yes", ...flags])).toMatchObject({ ok: true });
  buyer = aBuyer(chain, { payee, asset, configuration: tiny.configuration });
  await buyer.deposit(parseAmount("10"));
});
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await chain?.close();
});

describe("foldmark start", () => {
  it("loses nothing to kill -9 in the middle of an answer", async () => {
    const first = run(["start"]);
    const url = await serving(first);
    const whole = await ask(url, 20);
    let payment: unknown;
    for await (const { event, data } of whole.events) if (event === "payment") payment = data;
    const broken = await ask(url);
    await tokensFrom(broken.events, 5);
    first.child.kill("SIGKILL");
    expect(await first.exited).toMatchObject({ signal: "SIGKILL" });

    const second = run(["start"]);
    const again = await serving(second);
    expect(await buyer.state(again, whole.ceiling)).toEqual({
      status: "done",
      ...z.encode(paymentEventCodec, z.decode(paymentEventCodec, payment as never)),
    });
    expect(await buyer.state(again, broken.ceiling)).toEqual({ status: "none", charged: "9" });
    const next = await ask(again, 20);
    let events = 0;
    for await (const { event } of next.events) if (event === "payment") events++;
    expect(events).toBe(1);
    second.child.kill("SIGTERM");
    expect(await second.exited).toMatchObject({ code: 0 });
  });

  it("finishes what streams after SIGTERM, and takes nothing new", async () => {
    const node = run(["start"]);
    const url = await serving(node);
    const { events } = await ask(url);
    await tokensFrom(events, 5);
    node.child.kill("SIGTERM");
    await once(node.lines, "line"); // it says that it drains
    const refused = await buyer.ask(url, { limit: 20, ceiling: ceiling + 1_000n }).then(
      ({ status }) => status,
      () => "closed",
    );
    let payment: z.output<typeof paymentEventCodec> | undefined;
    for await (const { event, data } of events)
      if (event === "payment") payment = z.decode(paymentEventCodec, data as never);
    expect(payment?.preimage.T).toBe(3 + 3_000);
    expect([503, "closed"]).toContain(refused);
    expect(await node.exited).toMatchObject({ code: 0, out: "" });
  });

  it("cuts at the second signal, signed for what was sent", async () => {
    const node = run(["start"]);
    const url = await serving(node);
    const { events, ceiling: at } = await ask(url);
    await tokensFrom(events, 5);
    node.child.kill("SIGINT");
    await once(node.lines, "line");
    node.child.kill("SIGINT");
    let payment: z.output<typeof paymentEventCodec> | undefined;
    for await (const { event, data } of events)
      if (event === "payment") payment = z.decode(paymentEventCodec, data as never);
    expect(payment?.answer.maxClaimableAmount).toBe(at);
    expect(payment?.preimage.T).toBeLessThan(3 + 3_000);
    expect(await node.exited).toMatchObject({ code: 0 });
  });

  it("ends with 9 while another holds its ledger, with 2 when its port is taken, and never logs a prompt or a key", async () => {
    const node = run(["start"]);
    const url = await serving(node);
    const second = await run(["start"]).exited;
    expect(second).toMatchObject({ code: 9 });
    expect(second.log.at(-1)).toContain(`process ${node.child.pid}`);
    const { events } = await ask(url, 50);
    for await (const _ of events);
    node.child.kill("SIGTERM");
    const { log } = await node.exited;
    const port = new URL(chain.url).port;
    const taken = await run(["start", "--listen", `127.0.0.1:${port}`]).exited;
    expect(taken).toMatchObject({ code: 2 });
    expect(taken.log.at(-1)).toContain(`Port ${port}`);
    expect(log.join("\n")).not.toMatch(/correct horse|"tokens":\[|maxClaimableAmount/);
    expect(log.map((line) => JSON.parse(line).msg)).toEqual(expect.arrayContaining(["serving", "served", "stopped"]));
  });

  it("ends with 8 when the ledger is damaged", async () => {
    const copy = aFolder();
    const { exited } = run(["init", "--keys-only", "--json"], { FOLDMARK_HOME: copy });
    expect(await exited).toMatchObject({ code: 3 }); // no password and no terminal: nothing is made
    writeFileSync(path.join(home, "ledger", "ledger.db"), "no ledger ".repeat(1_000));
    rmSync(path.join(home, "ledger", "ledger.db-wal"), { force: true });
    expect(await run(["start"]).exited).toMatchObject({ code: 8 });
  });
});
