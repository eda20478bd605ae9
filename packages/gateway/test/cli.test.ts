import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { encryptKeystoreJson } from "ethers";
import OpenAI from "openai";
import { bytesToHex } from "viem";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { openProviders } from "./support/world.ts";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
const PASSWORD = "a password for tests";

let market: Awaited<ReturnType<typeof openProviders>>;
let files: { keystore: string; password: string };
const running = new Set<ChildProcess>();
beforeAll(async () => {
  market = await openProviders();
  const { folder, account, secret } = market;
  files = { keystore: join(folder, "keystore.json"), password: join(folder, "password") };
  const key = { address: account.address, privateKey: bytesToHex(secret) };
  await writeFile(files.keystore, await encryptKeystoreJson(key, PASSWORD, { scrypt: { N: 1024 } }), { mode: 0o600 });
  await writeFile(files.password, `${PASSWORD}\n`, { mode: 0o600 });
}, 120_000);
afterEach(async () => {
  for (const child of running) child.kill("SIGKILL");
  market.reset();
});
afterAll(() => market[Symbol.asyncDispose]());

function run(args: string[]) {
  const child = spawn(process.execPath, [main, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  const output = { out: "", err: "" };
  child.stdout.setEncoding("utf8").on("data", (text) => (output.out += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (output.err += text));
  const ended = once(child, "close").then(([code]) => {
    running.delete(child);
    return { ...output, code: code as number | null };
  });
  const line = async (): Promise<Record<string, string>> => {
    await Promise.race([ended, expect.poll(() => output.out, { timeout: 30_000 }).toContain("\n")]);
    if (output.out === "") throw new Error(`no line: ${output.err}`);
    return JSON.parse(output.out);
  };
  return { child, ended, line, output };
}

const startArgs = (over: Record<string, string> = {}) =>
  Object.entries({
    rpc: market.anvil.url,
    deployment: market.deploymentFile,
    packages: `${market.chat.dir},${market.simulation.dir}`,
    data: join(market.folder, "cli"),
    keystore: files.keystore,
    "password-file": files.password,
    listen: "127.0.0.1:0",
    ...over,
  }).flatMap(([name, value]) => [`--${name}`, value]);

const start = (over?: Record<string, string>) => run(["start", ...startArgs(over)]);
const keys = async (...args: string[]) => {
  const { out, err, code } = await run(["keys", ...args, "--data", join(market.folder, "cli")]).ended;
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return JSON.parse(out);
};

describe("foldmark-gateway", () => {
  it("makes keys, serves, takes commands while it runs, survives a kill, and drains", async () => {
    const made = await keys("create", "--name", "demo", "--budget", "2.50");
    expect(made).toMatchObject({ key: expect.stringMatching(/^sk-/), budget: "2500000" });

    const first = start();
    const ready = await first.line();
    expect(ready).toMatchObject({
      event: "ready",
      url: expect.stringMatching(/^http:/),
      address: market.account.address,
    });
    const ask = (url = "", apiKey = "") =>
      new OpenAI({ apiKey, baseURL: `${url}/v1`, maxRetries: 0 }).chat.completions.create({
        model: "tiny-chat",
        messages: [{ role: "user", content: "the house" }],
      });
    expect((await ask(ready.url, made.key)).choices[0]?.message.content).toContain("quick brown fox");

    const other = await keys("create", "--name", "other", "--budget", "1");
    expect((await ask(ready.url, other.key)).choices[0]?.finish_reason).toBe("stop");
    expect(await keys("revoke", other.id)).toEqual({ id: other.id, revoked: true });
    await expect(ask(ready.url, other.key)).rejects.toMatchObject({ status: 401 });

    // killed with a voucher out: nothing stays set aside, and its provider is asked how it ended
    market.script({ stallsAfter: 3 });
    const lost = ask(ready.url, made.key);
    await expect.poll(() => market.providers.some(({ sent }) => sent() === 3), { timeout: 10_000 }).toBe(true);
    first.child.kill("SIGKILL");
    await expect(lost).rejects.toThrow();
    await first.ended;
    market.script();

    const second = start();
    const { url } = await second.line();
    expect(second.output.err).toContain("vouchers of an earlier run are asked for");
    await expect.poll(() => second.output.err, { timeout: 10_000 }).toContain("stored answer settled");
    const { keys: list } = await keys("list");
    expect(list.find(({ name }: { name: string }) => name === "demo")).toMatchObject({ reserved: "0" });
    expect((await ask(url, made.key)).choices[0]?.message.content).toContain("quick brown fox");

    const inUse = await start({ listen: "127.0.0.1:0" }).ended;
    expect(inUse).toMatchObject({
      code: 9,
      err: expect.stringMatching(/^foldmark-gateway: .*in use by process \d+.*\n$/),
    });

    second.child.kill("SIGTERM");
    expect((await second.ended).code).toBe(0);
    expect(await readFile(join(market.folder, "cli", "control.json"), "utf8").catch(() => "gone")).toBe("gone");
    for (const { output } of [first, second])
      for (const secret of [PASSWORD, made.key, bytesToHex(market.secret).slice(2), "the house", "brown fox"])
        expect(output.err).not.toContain(secret);
  }, 120_000);

  it.each([
    {
      problem: "a wrong password",
      over: async () => ({ "password-file": await aFile("wrong", "not the password\n") }),
      code: 2,
      says: "password does not open",
    },
    {
      problem: "a password that others can read",
      over: async () => ({ "password-file": await aFile("open", "x\n", 0o644) }),
      code: 2,
      says: "chmod 600",
    },
    {
      problem: "a missing keystore",
      over: async () => ({ keystore: "/nonexistent/keystore.json" }),
      code: 2,
      says: "There is no file",
    },
    {
      problem: "a keystore that is none",
      over: async () => ({ keystore: await aFile("no-keystore", "{}") }),
      code: 8,
      says: "no keystore",
    },
    {
      problem: "a chain that does not answer",
      over: async () => ({ rpc: "http://127.0.0.1:1" }),
      code: 4,
      says: "No chain answers",
    },
    {
      problem: "a wrong chain id",
      over: async () => ({
        deployment: await aFile("chain.json", JSON.stringify({ ...market.deployment, chainId: 5 })),
      }),
      code: 2,
      says: "has id 31337",
    },
    {
      problem: "contracts that are not there",
      over: async () => ({
        deployment: await aFile(
          "gone.json",
          JSON.stringify({
            ...market.deployment,
            contracts: { ...market.deployment.contracts, channels: `0x${"12".repeat(20)}` },
          }),
        ),
      }),
      code: 2,
      says: "There is no contract",
    },
    {
      problem: "a deployment that is none",
      over: async () => ({ deployment: await aFile("bad.json", "{}") }),
      code: 2,
      says: "malformed",
    },
    {
      problem: "a folder that is no package",
      over: async () => ({ packages: market.folder }),
      code: 8,
      says: "manifest.json",
    },
    { problem: "a port that is taken", over: async () => ({ listen: await takenPort() }), code: 2, says: "is taken" },
    {
      problem: "no address to listen on",
      over: async () => ({ listen: "nowhere" }),
      code: 2,
      says: "no address to listen on",
    },
    {
      problem: "an unknown setting",
      over: async () => ({ config: await aFile("settings.yaml", "frobnicate: 1\n") }),
      code: 2,
      says: "frobnicate",
    },
  ])("says what to do about $problem, in one line", async ({ over, code, says }) => {
    const data = join(market.folder, `failed-${code}-${says.length}`);
    const { out, err, code: got } = await start({ data, ...(await over()) }).ended;
    expect({ out, code: got }).toEqual({ out: "", code });
    expect(err).toContain(says);
    expect(err).not.toContain("    at ");
  });
});

async function aFile(name: string, text: string, mode = 0o600): Promise<string> {
  const folder = join(market.folder, "files");
  await mkdir(folder, { recursive: true });
  const file = join(folder, name);
  await writeFile(file, text);
  await chmod(file, mode);
  return file;
}

async function takenPort(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  afterAllClose.push(() => server.close());
  return `127.0.0.1:${(server.address() as { port: number }).port}`;
}
const afterAllClose: (() => void)[] = [];
afterAll(() => {
  for (const close of afterAllClose) close();
});
