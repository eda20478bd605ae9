// What is wrong with files, folders, ports and chains is said in one line, by the programs as a user runs them.
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  closeSync,
  constants,
  copyFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { encodeHeader, encodeProgram, type Program } from "@foldmark/machine";
import { listRoot, modelId, programRoot } from "@foldmark/machine/commitments";
import { testUSDAbi } from "@foldmark/protocol/abi";
import { decodeManifest, encodeManifest, families, fromHex, openPackage, toHex } from "@foldmark/workloads";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { writeGguf } from "../../packages/workloads/test/ggufWriter.ts";
import { makeHome } from "../../scripts/demo/homes.ts";
import type { Home } from "../../scripts/demo/stage.ts";
import { gatewayStep } from "../../scripts/demo/steps/gateway.ts";
import { CHAT_ALIAS } from "../../scripts/demo/steps/model.ts";
import { DOLLAR, joinMarket } from "../../scripts/demo/steps/providers.ts";
import { defaultGguf } from "../support/defaultModel.ts";
import { type Ended, foldmark, foldmarkGateway, killPrograms } from "../support/programs.ts";
import { openTinyMarket, quiet, type TinyMarket } from "../support/tinyMarket.ts";

const folder = mkdtempSync(path.join(tmpdir(), "foldmark-bad-"));
const at = (name: string) => path.join(folder, name);
afterAll(() => {
  killPrograms();
  rmSync(folder, { recursive: true, force: true });
});

/** The last line says what to do; no stack, and nothing on standard output. Log and progress may come before it. */
function expectOneLine({ code, out, err }: Ended, { exit, says }: { exit: number; says: RegExp }): void {
  const lines = err.trimEnd().split("\n");
  expect({ code, out }, err).toEqual({ code: exit, out: "" });
  expect(lines.at(-1)).toMatch(/^foldmark(-gateway)?: /);
  expect(lines.at(-1)).toMatch(says);
  expect(lines.filter((line) => line.startsWith("foldmark") || /^ +at /.test(line))).toHaveLength(1);
}

describe("a model file", () => {
  let gguf: string;
  beforeAll(async () => {
    gguf = await defaultGguf();
  });

  const copy = (name: string) => {
    copyFileSync(gguf, at(name), constants.COPYFILE_FICLONE);
    return at(name);
  };
  const head = (name: string, bytes: number) => {
    const buffer = Buffer.alloc(bytes);
    const file = openSync(gguf, "r");
    readSync(file, buffer, 0, bytes, 0);
    closeSync(file);
    writeFileSync(at(name), buffer);
    return at(name);
  };
  const cutShort = (name: string) => {
    const file = copy(name);
    truncateSync(file, statSync(file).size - 1);
    return file;
  };
  const flipped = (name: string) => {
    const file = copy(name);
    const handle = openSync(file, "r+");
    writeSync(handle, Buffer.from([0x5a]), 0, 1, statSync(file).size - 1_000);
    closeSync(handle);
    return file;
  };
  const made = (name: string, bytes: Uint8Array) => {
    writeFileSync(at(name), bytes);
    return at(name);
  };
  const tensor = { name: "blk.0.attn_q.weight", type: 12, shape: [256, 256], data: new Uint8Array(256 * 144) };

  it.each([
    {
      problem: "is cut in its header",
      file: () => head("header.gguf", 1 << 20),
      says: /tokenizer\.\S+.* at byte \d+: /,
    },
    { problem: "lacks its last byte", file: () => cutShort("short.gguf"), says: /\S+\.weight.* at byte \d+: / },
    {
      problem: "is of another format",
      file: () => made("zip.gguf", Buffer.from("PK\x03\x04 none")),
      says: /magic at byte 0: /,
    },
    { problem: "is empty", file: () => made("empty.gguf", new Uint8Array()), says: /magic at byte 0: / },
    {
      problem: "has a quantisation that is not supported",
      file: () => made("q4k.gguf", writeGguf({ tensors: [tensor] })),
      says: /blk\.0\.attn_q\.weight.* at byte \d+: .*Q4_K/,
    },
    {
      problem: "has an architecture that is not supported",
      file: () => made("gpt2.gguf", writeGguf({ metadata: [["general.architecture", { text: "gpt2" }]] })),
      says: /general\.architecture at byte \d+: .*gpt2/,
    },
    {
      problem: "claims more than it holds",
      file: () => made("huge.gguf", writeGguf({ tensorCount: 1n << 60n })),
      says: /tensor count at byte 8: /,
    },
  ])("that $problem is refused by file, field and offset, and leaves nothing", async ({ problem, file, says }) => {
    const home = mkdtempSync(at("home-"));
    const name = file();
    const ended = await foldmark(home, ["models", "import", name]);
    expectOneLine(ended, { exit: 2, says });
    expect(ended.err, problem).toContain(name);
    expect(readdirSync(home, { recursive: true })).not.toContain("manifest.json");
    expect(existsSync(path.join(home, "packages")) ? readdirSync(path.join(home, "packages")) : []).toEqual([]);
    rmSync(name);
  });

  it("with another hash is not taken for the default model", async () => {
    const home = mkdtempSync(at("home-"));
    const file = flipped("flipped.gguf");
    const ended = await foldmark(home, ["models", "fetch", "default", "--file", file]);
    expectOneLine(ended, { exit: 2, says: /flipped\.gguf.*SHA-256/ });
    expect(existsSync(path.join(home, "packages")) ? readdirSync(path.join(home, "packages")) : []).toEqual([]);
    rmSync(file);
  });
});

describe("a market's programs", () => {
  let market: TinyMarket;
  let serving: Home;
  let idle: Home;
  let port: string;
  const taken = createServer();
  beforeAll(async () => {
    market = await openTinyMarket();
    const offer = { in: "0.10", out: "0.40", unit: "20" };
    serving = await market.open("ada", offer);
    idle = await makeHome(market.stage, { name: "idle", dollars: 500n * DOLLAR });
    await joinMarket(market.stage, idle, offer);
    await once(taken.listen(0, "127.0.0.1"), "listening");
    port = String((taken.address() as { port: number }).port);
  });
  afterAll(async () => {
    taken.close();
    await market?.[Symbol.asyncDispose]();
  });

  const file = (name: string, content: string) => {
    writeFileSync(at(name), content, { mode: 0o600 });
    return at(name);
  };
  const deployment = (change: object) => {
    const known = JSON.parse(readFileSync(path.join(idle.folder, "deployment.json"), "utf8"));
    return file("deployment.json", JSON.stringify({ ...known, ...change }));
  };

  it.each([
    { problem: "a port that is taken", flags: () => ["--listen", `127.0.0.1:${port}`], exit: 2, says: /[Pp]ort \d+/ },
    { problem: "no chain", flags: () => ["--rpc", "http://127.0.0.1:1"], exit: 4, says: /No chain answers at http:/ },
    {
      problem: "another chain",
      flags: () => ["--deployment", deployment({ chainId: 5 })],
      exit: 2,
      says: /31337.* 5/,
    },
    {
      problem: "a wrong password",
      flags: () => ["--password-file", file("other", "a wrong password")],
      exit: 2,
      says: /password does not open the keystore/,
    },
  ])("foldmark start says what to do about $problem", async ({ flags, exit, says }) => {
    const ended = await foldmark(idle.folder, ["start", ...flags()]);
    expectOneLine(ended, { exit, says });
    expect(ended.err).not.toContain("a wrong password");
  });

  it("foldmark start leaves a folder alone that another node has", async () => {
    const ended = await foldmark(serving.folder, ["start"]);
    expectOneLine(ended, { exit: 9, says: /in use by process \d+/ });
    const { code } = await foldmark(serving.folder, ["status"]);
    expect(code).toBe(0); // the first one serves on
  });

  it("a gateway refuses what no provider should see, and nothing is charged", async () => {
    await gatewayStep(market.stage, quiet);
    const { url = "", apiKey = "" } = market.stage.gateway ?? {};
    const chat = (over: object = {}) =>
      JSON.stringify({ model: CHAT_ALIAS, messages: [{ role: "user", content: "the house" }], max_tokens: 5, ...over });
    const ask = async (body: string, headers: Record<string, string> = {}) => {
      const response = await fetch(`${url}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json", ...headers },
        body,
      });
      const { error } = z.object({ error: z.record(z.string(), z.unknown()) }).parse(await response.json());
      expect(Object.keys(error).sort().slice(0, 2)).toEqual(["code", "message"]);
      return [response.status, error.code, error.param];
    };
    expect(await ask("{")).toEqual([400, "request.invalid_json", null]);
    expect(await ask(chat({ model: "gpt-none" }))).toEqual([404, "model_not_found", "model"]);
    expect(await ask(chat({ temperature: "hot" }))).toEqual([400, "request.invalid", "temperature"]);
    expect(await ask(chat({ n: 2 }))).toEqual([400, "unsupported_parameter", "n"]);
    expect(await ask(chat({ max_tokens: 10_000 }))).toEqual([400, "context_length_exceeded", "max_tokens"]);
    expect(await ask(chat({ user: "x".repeat(1_100_000) }))).toEqual([413, "request.too_large", null]);
    expect(await ask(chat(), { "content-type": "text/plain" })).toEqual([415, "request.content_type", null]);
    expect(await ask(chat(), { authorization: "Bearer sk-none" })).toEqual([401, "invalid_api_key", null]);
    expect(await ask(chat(), { "x-foldmark-max-price": "in=0, out=0" })).toEqual([402, "price.above_cap", null]);

    const status = await foldmark(serving.folder, ["status", "--json"]);
    expect(JSON.parse(status.out).data).toMatchObject({ money: { signed: "0" }, running: 0, openAnswers: 0 });
    const balance = await market.stage.chain?.client.readContract({
      address: market.stage.chain.deployment.contracts.token,
      abi: testUSDAbi,
      functionName: "balanceOf",
      args: [market.stage.gateway?.address ?? "0x"],
    });
    expect(balance).toBe(500n * DOLLAR); // not even a channel was opened
  });

  describe.each([
    {
      damage: "a weight that was changed",
      change: (dir: string) => {
        const handle = openSync(path.join(dir, "tensors.bin"), "r+");
        writeSync(handle, Buffer.from([0x5a]), 0, 1, 100);
        closeSync(handle);
      },
      says: /tensors\.bin/,
    },
    {
      damage: "another program than its family builds",
      change: (dir: string) => rewriteProgram(dir, (program) => ({ ...program, maxT: program.maxT - 1 })),
      says: /monte-carlo builds/,
    },
    {
      damage: "a program that nobody can afford",
      change: (dir: string) => rewriteProgram(dir, (program) => longer(program, 2)),
      says: /Stage 2, fold 0: \d+ bytes of evidence, at most \d+ are accepted \(rule 2\)/,
    },
    {
      damage: "a program that means nothing",
      change: (dir: string) => rewriteProgram(dir, (program) => longer(program, 0)),
      says: /Stage 0, fold 0: a fold that combines nothing has axis 0/,
    },
  ])("a package with $damage", ({ damage, change, says }) => {
    let dir: string;
    beforeAll(async () => {
      dir = at(damage.replaceAll(" ", "-"));
      cpSync(market.stage.simulation?.dir ?? "", dir, { recursive: true });
      await change(dir);
    });

    it("is refused by the node", async () => {
      expectOneLine(await foldmark(idle.folder, ["start", "--model", dir]), { exit: 8, says });
    });

    it("is refused by the gateway", async () => {
      const ended = await foldmarkGateway([
        ...["start", "--rpc", market.stage.chain?.rpc ?? "", "--packages", dir, "--listen", "127.0.0.1:0"],
        ...["--deployment", path.join(idle.folder, "deployment.json"), "--data", at("gateway")],
        ...["--keystore", path.join(idle.folder, "keys", "operator.json"), "--password-file", idle.passwordFile],
      ]);
      expectOneLine(ended, { exit: 8, says });
    });

    it("is refused by who checks with it", async () => {
      const receipt = file("receipt.json", "{}");
      expectOneLine(await foldmark(mkdtempSync(at("home-")), ["verify", receipt, "--package", dir]), { exit: 8, says });
    });
  });
});

/** Puts another program into a package and makes its manifest agree: hash, roots and model id. */
async function rewriteProgram(dir: string, change: (program: Program) => Program): Promise<void> {
  const { program } = await openPackage(dir, { families });
  const changed = change(program);
  const bytes = encodeProgram(changed);
  writeFileSync(path.join(dir, "program.bin"), bytes);
  const file = path.join(dir, "manifest.json");
  const manifest = decodeManifest(readFileSync(file), file);
  const weights = listRoot(manifest.tensorRoots.map(fromHex));
  const sha256 = `0x${createHash("sha256").update(bytes).digest("hex")}` as const;
  const ids = {
    header: toHex(encodeHeader(changed)),
    programRoot: toHex(programRoot(changed)),
    modelId: toHex(modelId(changed, weights)),
  };
  const files = { ...manifest.files, "program.bin": { sizeBytes: bytes.length, sha256 } };
  writeFileSync(file, encodeManifest({ ...manifest, ...ids, maxT: changed.maxT, files }));
}

/** The same program whose folds of one stage combine 2^24 terms. */
function longer(program: Program, stage: number): Program {
  const stages = program.stages.map((each, s) =>
    s === stage ? { ...each, folds: each.folds.map((fold) => ({ ...fold, axis: 2 ** 24 })) } : each,
  );
  return { ...program, stages };
}
