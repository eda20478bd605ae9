import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { writeTinyChat } from "../../gateway/test/support/packages.ts";
import { ASKED, aReceipt, asJson, openWorld } from "../../sdk/test/receipts.ts";
import { runCli } from "../src/cli.ts";
import { COMMANDS } from "../src/commands/index.ts";
import { aFolder } from "./aFolder.ts";
import { simulationPackage, tinyChatPackage } from "./tinyPackage.ts";

async function foldmark(
  args: string[],
  { home = aFolder(), variables = {} }: { home?: string; variables?: Record<string, string> } = {},
) {
  let out = "";
  let err = "";
  const exit = await runCli(args, {
    variables: { FOLDMARK_HOME: home, ...variables },
    isTerminal: false,
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
  });
  return { exit, out, err };
}

const aPasswordFile = () => {
  const file = path.join(aFolder(), "password");
  writeFileSync(file, "correct horse battery\n");
  return file;
};

const aDeployment = () => {
  const file = path.join(aFolder(), "deployment.json");
  const address = (n: number) => `0x${String(n).padStart(40, "0")}`;
  const contracts = {
    ...{ token: address(1), models: address(2), providers: address(3) },
    ...{ channels: address(4), court: address(5), referee: address(6) },
  };
  writeFileSync(file, JSON.stringify({ chainId: 31337, fromBlock: 0, contracts }));
  return file;
};

describe("foldmark", () => {
  it.each([
    { args: ["strat"], says: 'There is no command "strat"' },
    { args: ["models", "eat"], says: 'There is no command "eat"' },
    { args: [], says: "A command is needed" },
    { args: ["start", "--prot", "1"], says: "--prot" },
    { args: ["verify"], says: "receipt" },
    { args: ["models", "import"], says: "See `foldmark models import --help`" },
    { args: ["init", "--deployment", aDeployment(), "--stake", "lots"], says: '--stake is "lots"' },
    { args: ["init", "--deployment", aDeployment(), "--price-in", "-1"], says: '--price-in is "-1"' },
    { args: ["init"], says: "init --deployment FILE" },
    { args: ["stake", "add", "lots"], says: 'amount is "lots"' },
  ])("ends with 2 and one line for $args", async ({ args, says }) => {
    const { exit, out, err } = await foldmark(args);
    expect({ exit, out }).toEqual({ exit: 2, out: "" });
    expect(err.trimEnd().split("\n")).toHaveLength(1);
    expect(err).toContain(says);
  });

  it.each([...COMMANDS.map(({ name }) => name.split(" ")), []].map((words) => ({ words })))(
    "explains itself: $words --help",
    async ({ words }) => {
      const { exit, out } = await foldmark([...words, "--help"]);
      expect(exit).toBe(0);
      expect(out).toContain(`Usage: foldmark${words.length > 0 ? ` ${words.join(" ")}` : ""}`);
    },
  );

  it("says with --json what went wrong, as one document", async () => {
    const { exit, out } = await foldmark(["start", "--json"]);
    expect(JSON.parse(out)).toMatchObject({ v: 1, ok: false, exit, error: { code: "keystore.missing" } });
    expect(exit).toBe(2);
  });

  it("says its version", async () => {
    const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
    expect(await foldmark(["--version"])).toEqual({ exit: 0, out: `${version}\n`, err: "" });
  });

  it("shows a stopped node and ends with 5", async () => {
    const { exit, out } = await foldmark(["status"]);
    expect(exit).toBe(5);
    expect(out).toMatch(/^STOPPED {2}/);
    expect(out).toContain("run `foldmark init --model DIR` first");
    expect(JSON.parse((await foldmark(["status", "--json"])).out)).toMatchObject({
      ...{ v: 1, ok: false, data: { state: "STOPPED", channels: 0, owed: "0", openAnswers: 0 } },
    });
  });

  it("refuses a setting that does not exist, and one with a wrong value, by name", async () => {
    const unknown = await foldmark(["models", "list"], { variables: { FOLDMARK_SERVE_PROT: "1" } });
    expect(unknown).toMatchObject({ exit: 2, err: expect.stringContaining("FOLDMARK_SERVE_PROT") });
    const home = aFolder();
    writeFileSync(path.join(home, "foldmark.yaml"), "serve: { listen: everywhere }\n");
    const wrong = await foldmark(["models", "list"], { home });
    expect(wrong).toMatchObject({ exit: 2, err: expect.stringContaining("serve.listen") });
  });

  it("ends with 4 when no chain answers", async () => {
    const { exit, err } = await foldmark([
      "stake",
      "add",
      "1",
      "--deployment",
      aDeployment(),
      "--rpc",
      "http://127.0.0.1:9",
    ]);
    expect(exit).toBe(4);
    expect(err).toContain("No chain answers at http://127.0.0.1:9");
  });
});

describe("foldmark models", () => {
  it("makes the package of a simulation, and lists it", async () => {
    const home = aFolder();
    const made = JSON.parse((await foldmark(["models", "import", "monte-carlo", "--json"], { home })).out);
    expect(made).toMatchObject({
      ok: true,
      data: { kind: "simulation", folder: path.join(home, "packages", "monte-carlo") },
    });
    const { out } = await foldmark(["models", "list", "--json"], { home });
    expect(JSON.parse(out).data.models).toMatchObject([{ asset: made.data.asset, isServed: false }]);
    expect((await foldmark(["models", "list"], { home })).out).toContain(made.data.asset);
  });

  it("explains how a chat and a simulation are computed: every fold, its class, range and share", async () => {
    const home = aFolder();
    await foldmark(["models", "import", "monte-carlo"], { home });
    const chat = await tinyChatPackage();
    for (const name of ["monte-carlo", chat.folder]) {
      const { data } = JSON.parse((await foldmark(["models", "explain", name, "--json"], { home })).out);
      expect(data.folds.length).toBeGreaterThan(5);
      const shares = data.folds.map(({ share }: { share: number }) => share);
      expect(shares.reduce((sum: number, share: number) => sum + share, 0)).toBeCloseTo(1);
      for (const fold of data.folds) expect(BigInt(fold.interval.lo) <= BigInt(fold.interval.hi)).toBe(true);
    }
    const { out } = await foldmark(["models", "explain", chat.folder], { home });
    expect(out).toContain("class and kernel");
    expect(out).toMatch(/0\.0 +i32\[1, \d+\] +vector +vector +-?\d+ \.\. \d+ +\d+\.\d\d %/);
  });

  it("explains nothing that is not there", async () => {
    expect(await foldmark(["models", "explain", "nothing"])).toMatchObject({
      exit: 8,
      err: expect.stringContaining("nothing"),
    });
  });

  it.each([
    { file: "truncated", bytes: Buffer.from("GGUF\u0003\0\0\0") },
    { file: "something else", bytes: Buffer.from("#!/bin/sh\necho no model\n") },
  ])("refuses a $file file by name and offset, and leaves nothing", async ({ bytes }) => {
    const home = aFolder();
    const file = path.join(aFolder(), "model.gguf");
    writeFileSync(file, bytes);
    const { exit, err } = await foldmark(["models", "import", file], { home });
    expect(exit).toBe(2);
    expect(err).toContain(file);
    expect(existsSync(path.join(home, "packages", "model"))).toBe(false);
  });

  it("refuses what is neither the default model nor a URL", async () => {
    expect(await foldmark(["models", "fetch", "chat-small"])).toMatchObject({
      exit: 2,
      err: expect.stringContaining("chat-small"),
    });
  });
});

describe("foldmark verify", () => {
  it.each([
    { content: "{", exit: 2, says: "not valid JSON" },
    { content: "{}", exit: 3, says: "receipt" },
  ])("refuses $content", async ({ content, exit, says }) => {
    const file = path.join(aFolder(), "receipt.json");
    writeFileSync(file, content);
    const answer = await foldmark(["verify", file]);
    expect(answer.exit).toBe(exit);
    expect(answer.err).toContain(says);
  });

  it("takes an answer for its receipt, and goes on when no chain answers", async () => {
    const folder = aFolder();
    const world = await openWorld(await writeTinyChat(folder));
    const receipt = asJson(await aReceipt(world));
    world.engine.close();
    const file = (name: string, content: unknown) => {
      const at = path.join(folder, name);
      writeFileSync(at, JSON.stringify(content));
      return at;
    };
    const answer = file("answer.json", { object: "chat.completion", x_foldmark: { receipt_url: "/v1/r", receipt } });
    const flags = ["--package", world.pkg.dir, "--messages", file("messages.json", ASKED.messages)];
    const noChain = ["--deployment", aDeployment(), "--rpc", "http://127.0.0.1:9"];
    const { exit, out, err } = await foldmark(["verify", answer, ...flags, ...noChain]);
    expect({ exit, err }).toEqual({ exit: 0, err: expect.stringContaining("No chain answers at http://127.0.0.1:9") });
    expect(out).toMatch(/^check +result +finding\n/);
    expect(out).toMatch(/^request +unchecked .*give the whole body to compare temperature/m);
    expect(out).toMatch(/^market +unchecked/m);

    expect(await foldmark(["verify", answer, "--package", "/nowhere"])).toMatchObject({
      ...{ exit: 8, err: expect.stringContaining("There is no model package in /nowhere") },
    });
    const brief = file("brief.json", { x_foldmark: { receipt_url: "/v1/receipts/0x12" } });
    expect(await foldmark(["verify", brief])).toMatchObject({
      ...{ exit: 3, err: expect.stringContaining("This is an answer. Its receipt is at /v1/receipts/0x12") },
    });
  });
});

describe("foldmark init", () => {
  it("makes a key that only its owner can read, once, and remembers the flags", async () => {
    const home = aFolder();
    const flags = ["--password-file", aPasswordFile(), "--rpc", "http://127.0.0.1:9", "--deployment", aDeployment()];
    const first = await foldmark(["init", "--quick", "--keys-only", "--json", ...flags], { home });
    expect(first.exit).toBe(0);
    const { address } = JSON.parse(first.out).data;
    expect(address).toMatch(/^0x[0-9a-fA-F]{40}$/);
    expect(statSync(path.join(home, "keys", "operator.json")).mode & 0o777).toBe(0o600);
    const again = await foldmark(["init", "--keys-only", "--json"], { home });
    expect(JSON.parse(again.out).data.address).toBe(address);
    expect(readFileSync(path.join(home, "foldmark.yaml"), "utf8")).toMatch(
      /^network:\n {2}rpc:\n {4}- http:\/\/127.0.0.1:9\n/,
    );
  });

  it.each([
    { flag: "--model", says: "There is no model package in /nowhere", hint: "foldmark models list" },
    { flag: "--password-file", says: "There is no password file at /nowhere", hint: "--password-file FILE" },
  ])("looks at $flag before it remembers it", async ({ flag, says, hint }) => {
    const home = aFolder();
    const { err } = await foldmark(["init", "--keys-only", flag, "/nowhere"], { home });
    expect(err).toContain(says);
    expect(err).toContain(hint);
    expect(existsSync(path.join(home, "foldmark.yaml"))).toBe(false);
  });

  it.each([
    { before: "null\n", after: "serve:\n  listen: 127.0.0.1:1\n" },
    { before: "# mine\nserve:\nlog: {}\n", after: "# mine\nserve:\n  listen: 127.0.0.1:1\nlog: {}\n" },
  ])("remembers flags in settings that hold $before", async ({ before, after }) => {
    const home = aFolder();
    const file = path.join(home, "foldmark.yaml");
    writeFileSync(file, before);
    // the flags are remembered before the password is asked for
    await foldmark(["init", "--keys-only", "--listen", "127.0.0.1:1"], { home });
    expect(readFileSync(file, "utf8")).toBe(after);
  });

  it.each(["5", "- 1", "serve: 5", "serve: [1]"])("refuses settings that hold %s, and leaves them", async (before) => {
    const home = aFolder();
    const file = path.join(home, "foldmark.yaml");
    writeFileSync(file, `${before}\n`);
    const { out } = await foldmark(["init", "--keys-only", "--json", "--listen", "127.0.0.1:1"], { home });
    expect(JSON.parse(out)).toMatchObject({ exit: 2, error: { code: "config.invalid" } });
    expect(readFileSync(file, "utf8")).toBe(`${before}\n`);
  });

  it("publishes nothing for free that nobody called free", async () => {
    const flags = ["--deployment", aDeployment(), "--model", await simulationPackage()];
    const { exit, err } = await foldmark(["init", ...flags]);
    expect({ exit, err }).toEqual({
      exit: 2,
      err: expect.stringMatching(/Say what you ask for options: --price-unit\. .*0 is free if you say so/),
    });
  });

  it("ends with 2 for a wrong password, which it does not repeat", async () => {
    const home = aFolder();
    await foldmark(["init", "--keys-only", "--password-file", aPasswordFile()], { home });
    const file = path.join(aFolder(), "other");
    writeFileSync(file, "hunter2 hunter2\n");
    const { exit, err, out } = await foldmark(["init", "--keys-only", "--password-file", file], { home });
    expect(exit).toBe(2);
    expect(err).toContain("does not open the keystore");
    expect(err + out).not.toContain("hunter2");
  });

  it("ends with 3 where a password is needed and nobody can type it", async () => {
    expect(await foldmark(["init", "--deployment", aDeployment()])).toMatchObject({
      exit: 3,
      err: expect.stringContaining("--password-file"),
    });
  });
});

describe("the program", () => {
  it("runs as a process", () => {
    const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
    const { status, stderr } = spawnSync(process.execPath, [main, "nonsense"], {
      encoding: "utf8",
      env: { FOLDMARK_HOME: aFolder() },
    });
    expect({ status, stderr }).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/^foldmark: There is no command "nonsense"/),
    });
  });
});
