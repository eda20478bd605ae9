// The demo as a user runs it, once; each step of its story is a test.
import { createDecipheriv, scryptSync } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { renderChatTokens, tokenBytes } from "@foldmark/workloads";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defaultPackage, TEST_HOME } from "../support/defaultModel.ts";
import { descendantsOf, type Ended, isRunning, killPrograms, type Program, startProgram } from "../support/programs.ts";
import { DEFAULT_MODEL_ID } from "./defaultModelId.ts";

type Figures = Record<string, unknown>;
type Report = {
  ok: boolean;
  steps: { name: string; ok: boolean; seconds: number; figures: Figures; error?: string }[];
};

const TUSD = 1_000_000;
const PROMPTS = [
  "Explain what a blockchain is in one sentence.",
  "Write a short story about a lighthouse keeper who finds a message in a bottle.",
  "List three fruits.",
];

/** Shorter sequences of tokens than this are found in any large file. */
const MIN_TOKEN_BYTES = 16;

const folder = mkdtempSync(path.join(tmpdir(), "foldmark-story-"));
const tell = (...flags: string[]): Program =>
  startProgram(["scripts/demo.ts", "--once", ...flags], { variables: { FOLDMARK_HOME: TEST_HOME } });
afterAll(() => {
  killPrograms();
  rmSync(folder, { recursive: true, force: true });
});

describe("the story", () => {
  const work = path.join(folder, "work");
  let ended: Ended;
  let report: Report;
  const seen = new Set<number>();
  const figuresOf = (name: string): Figures => report.steps.find((step) => step.name === name)?.figures ?? {};

  beforeAll(async () => {
    await defaultPackage();
    const json = path.join(folder, "report.json");
    const program = tell("--json", json, "--keep", work);
    const watch = setInterval(() => {
      for (const pid of descendantsOf(program.child.pid ?? 0)) seen.add(pid);
    }, 250);
    ended = await program.ended;
    clearInterval(watch);
    report = JSON.parse(readFileSync(json, "utf8"));
  });

  it("is told to its end", () => {
    const failed = report.steps.find(({ ok }) => !ok);
    expect({ code: ended.code, failed }, ended.out.slice(-2_000) + ended.err).toEqual({ code: 0, failed: undefined });
    expect(report.ok).toBe(true);
    expect(report.steps.map(({ name }) => name)).toEqual([
      ...["chain", "model", "providers", "gateway", "service"],
      ...["check", "failover", "lie", "silence", "falseChallenge", "simulation", "settlement"],
    ]);
  });

  it("deploys five contracts, one of which makes the court, and says what each cost", () => {
    const { contracts, court } = figuresOf("chain") as {
      contracts: Record<string, { address: string; gas: number }>;
      court: string;
    };
    expect(Object.keys(contracts).sort()).toEqual([
      "ModelRegistry",
      "PaymentChannels",
      "ProviderRegistry",
      "Referee",
      "TestUSD",
    ]);
    expect(court).toMatch(/^0x[0-9a-fA-F]{40}$/);
    for (const [name, { address, gas }] of Object.entries(contracts)) {
      expect(address, name).toMatch(/^0x[0-9a-fA-F]{40}$/);
      expect(gas, name).toBeGreaterThan(200_000);
      expect(gas, name).toBeLessThan(10_000_000);
    }
  });

  it("registers the model that every machine converts to", () => {
    expect(figuresOf("model")).toMatchObject({ modelId: DEFAULT_MODEL_ID, royaltyBps: 500 });
  });

  it("has three providers with an account each and a measured speed", () => {
    const providers = Object.values(figuresOf("providers")) as { address: string; tokensPerSecond: number }[];
    expect(new Set(providers.map(({ address }) => address)).size).toBe(3);
    for (const { tokensPerSecond } of providers) expect(tokensPerSecond).toBeGreaterThan(1);
  });

  it("streams an answer and says who gave it, how fast and for how much", () => {
    const { tokensPerSecond, firstTokenMs, provider, price, answerTokens, text, receipt } = figuresOf("service");
    const providers = Object.values(figuresOf("providers")) as { address: string }[];
    expect(providers.map(({ address }) => address)).toContain(provider);
    expect(tokensPerSecond).toBeGreaterThan(1);
    expect(firstTokenMs).toBeGreaterThan(0);
    expect(firstTokenMs).toBeLessThan(30_000);
    expect(answerTokens).toBeGreaterThan(10);
    expect(answerTokens).toBeLessThanOrEqual(80);
    expect(BigInt(String(price))).toBeGreaterThan(0n);
    expect(receipt).toEqual(expect.any(String));
    expect(ended.out).toContain(String(text).split("\n")[0]);
  });

  it("has a third party compute the answer again, and says what that cost", () => {
    const { equal, costRatio } = figuresOf("check");
    expect(equal).toBe(true);
    expect(costRatio).toBeGreaterThan(0); // how much less it is, `npm run bench` and the demo show; tests time nothing
  });

  it("goes on in the middle of a stream when a provider is killed", () => {
    const { continuedAtToken, answerTokens, equal, killed, continuedBy } = figuresOf("failover");
    expect(equal).toBe(true);
    expect(continuedAtToken).toBeGreaterThan(0);
    expect(continuedAtToken).toBeLessThan(Number(answerTokens));
    expect(continuedBy).not.toBe(killed);
  });

  it("names the place of a lie, and the two logits that refute it", () => {
    const { position, answerToken, claimed, expected } = figuresOf("lie") as {
      position: number;
      answerToken: number;
      claimed: { token: number; logit: number };
      expected: { token: number; logit: number };
    };
    expect(answerToken).toBe(3);
    expect(position).toBeGreaterThan(answerToken);
    expect(claimed.token).not.toBe(expected.token);
    expect(claimed.logit).toBeLessThan(expected.logit);
  });

  it("leads the liar's forged trace at the court to the one element that is false, and takes its stake", () => {
    const lie = figuresOf("lie");
    const { position, claimed, expected, rounds, refuteGas, totalGas } = lie as {
      position: number;
      claimed: { token: number };
      expected: { token: number };
      rounds: number;
      refuteGas: number;
      totalGas: number;
    };
    expect(lie.convicted).toBe(true);
    // the trace agrees with itself but at the choice of the token, which no honest logits lead to
    expect(lie.stageName).toBe("sample");
    expect(lie.stage).toBeGreaterThan(100);
    expect(lie.element).toEqual({ fold: 0, t: position - 1, r: 0, c: 0, j: expected.token });
    expect(lie.claimedValue).toBe(String(claimed.token));
    expect(lie.trueValue).toBe(String(expected.token));
    expect(rounds).toBeGreaterThanOrEqual(3); // everything was asked for at the court
    expect(rounds).toBeLessThanOrEqual(10);
    expect(refuteGas).toBeGreaterThan(100_000);
    expect(refuteGas).toBeLessThan(2_500_000);
    expect(totalGas).toBeGreaterThan(refuteGas);
    expect(totalGas).toBeLessThan(4_000_000);
    expect(BigInt(String(lie.stakeBefore)) - BigInt(String(lie.stakeAfter))).toBe(BigInt(10 * TUSD));
    expect([lie.reward, lie.compensation, lie.burnt]).toEqual(["2500000", "2500000", "5000000"]);
    for (const what of ["posts the root of its trace", "asks for stages 0 to", "shows 16 nodes 4 levels under stages"])
      expect(ended.out).toContain(what);
    expect(ended.out).toMatch(/erin +[0-9,]+ gas {2}refutes stage [0-9]+, fold 0, step [0-9]+/);
  });

  it("convicts a liar that says nothing, by time", () => {
    const { convicted, provider, providerGas, stakeBefore, stakeAfter } = figuresOf("silence");
    expect(convicted).toBe(true);
    expect(provider).not.toBe(figuresOf("lie").provider);
    expect(providerGas).toBe(0);
    expect(BigInt(String(stakeBefore)) - BigInt(String(stakeAfter))).toBe(BigInt(10 * TUSD));
    expect(ended.out).toContain("ends the payee's clock: it was silent");
  });

  it("takes the bond of who challenges a true answer, half of it for the node that defended it", () => {
    const { bondLost, provider, toPayee, burnt, defenceGas } = figuresOf("falseChallenge");
    const honest = Object.values(figuresOf("providers")) as { address: string }[];
    expect(bondLost).toBe(true);
    expect(honest.map(({ address }) => address)).toContain(provider);
    expect([toPayee, burnt]).toEqual([String(TUSD), String(TUSD)]);
    expect(defenceGas).toBeGreaterThan(50_000);
  });

  it("prices an option within four standard errors of the closed form", () => {
    const { price, standardError, closedForm } = figuresOf("simulation") as Record<string, number>;
    // Black and Scholes for spot 100, strike 105, rate 3 %, volatility 20 %, one year
    expect(closedForm).toBeCloseTo(7.1281, 4);
    expect(standardError).toBeGreaterThan(0);
    expect(standardError).toBeLessThan(0.05);
    expect(Math.abs(Number(price) - Number(closedForm))).toBeLessThan(4 * Number(standardError));
  });

  it("pays everybody to the unit", () => {
    const { conserved, gasPerAnswer, answers, paid, received, royalty, providers } = figuresOf("settlement");
    expect(conserved).toBe(true);
    expect(answers).toBe(5);
    expect(gasPerAnswer).toBeGreaterThan(20_000);
    expect(gasPerAnswer).toBeLessThan(500_000);
    expect(BigInt(String(received))).toBeGreaterThanOrEqual(BigInt(String(paid)));
    expect(Number(received)).toBeLessThan(TUSD);
    const held = Object.values(providers as Record<string, { held: string }>).reduce((sum, of) => sum + +of.held, 0);
    expect(held + Number(royalty)).toBe(Number(received));
    // each redemption rounds the royalty to the unit
    expect(Math.abs(Number(royalty) - Number(received) * 0.05)).toBeLessThanOrEqual(5);
  });

  it("leaves no process behind", () => {
    expect(seen.size).toBeGreaterThan(5);
    expect([...seen].filter(isRunning)).toEqual([]);
  });

  describe("its logs", () => {
    const logs = path.join(work, "logs");
    const logOf = (file: string) => readFileSync(path.join(logs, file), "utf8");
    /** What nodes and gateway print; the chain's own log prints its test keys, and `keys create` shows the key once. */
    const ours = () => readdirSync(logs).filter((file) => !/chain|build|deployment|gateway-keys/.test(file));
    const homes = () =>
      readdirSync(work, { withFileTypes: true }).flatMap((entry) =>
        entry.isDirectory() && entry.name !== "logs" ? [entry.name] : [],
      );

    it("hold no key, no password, no prompt and no answer", async () => {
      expect(ours().filter((file) => /provider|mallory|oscar|\d-gateway/.test(file))).toHaveLength(7);
      const secrets = [...PROMPTS, String(figuresOf("service").text).slice(0, 24)];
      const [keys = ""] = readdirSync(logs).filter((file) => file.includes("gateway-keys"));
      secrets.push(JSON.parse(logOf(keys)).key);
      for (const home of homes()) {
        const password = readFileSync(path.join(work, home, "password"), "utf8").trim();
        const key = privateKeyOf(path.join(work, home, "keys", "operator.json"), password);
        secrets.push(password, key.toString("hex"), key.toString("base64"));
      }
      expect(secrets.length).toBe(PROMPTS.length + 2 + 3 * 9);
      for (const secret of secrets) expect(secret.length).toBeGreaterThan(15);
      for (const prompt of PROMPTS) expect(ended.out).toContain(prompt);
      const found = ours().flatMap((file) =>
        secrets.filter((secret) => logOf(file).includes(secret)).map((secret) => ({ file, secret })),
      );
      expect(found).toEqual([]);
    });

    it("hold no token ids and no signature that could be presented again", () => {
      for (const file of ours()) expect(logOf(file), file).not.toMatch(/"tokens":\s*\[|"signature":|sk-[A-Za-z0-9]/);
    });

    it("lie beside ledgers and databases in which no prompt can be read, as text or as tokens", async () => {
      const { template, tokenizer } = await defaultPackage();
      const format = { template, tokenizer: tokenizer() };
      const needles = PROMPTS.flatMap((prompt) => {
        const tokens = Buffer.from(tokenBytes(format.tokenizer.encode(prompt).slice(1, -1)));
        const rendered = renderChatTokens(format, [{ role: "user", content: prompt }]);
        expect(Buffer.from(tokenBytes(rendered)).includes(tokens)).toBe(true);
        return [Buffer.from(prompt), ...(tokens.length > MIN_TOKEN_BYTES ? spellingsOf(tokens) : [])];
      });
      let bytes = 0;
      for (const home of homes())
        for (const entry of readdirSync(path.join(work, home), { recursive: true, withFileTypes: true })) {
          if (!entry.isFile()) continue;
          const file = path.join(entry.parentPath, entry.name);
          const content = readFileSync(file);
          bytes += content.length;
          for (const [i, needle] of needles.entries()) expect(content.includes(needle), `${file}, ${i}`).toBe(false);
        }
      expect(bytes).toBeGreaterThan(100_000);
    });
  });
});

describe("Ctrl-C in the middle of the story", () => {
  it("ends every process that was started, with 130", async () => {
    const program = tell();
    const { child, printed } = program;
    try {
      await expect.poll(() => printed().out, { timeout: 240_000, interval: 100 }).toContain("asking: ");
      const below = descendantsOf(child.pid ?? 0);
      expect(below.length).toBeGreaterThanOrEqual(5); // chain, three providers, gateway
      child.kill("SIGINT");
      expect(await program.ended).toMatchObject({ code: 130, signal: null });
      expect(below.filter(isRunning)).toEqual([]);
    } finally {
      child.kill("SIGKILL");
    }
  });
});

/** What bytes look like in a file that holds them as they are, in hex, or in base64 from any byte on. */
function spellingsOf(bytes: Buffer): Buffer[] {
  const base64 = [0, 1, 2].map((skip) => {
    const rest = bytes.subarray(skip);
    return rest.subarray(0, rest.length - (rest.length % 3)).toString("base64");
  });
  return [bytes, ...[bytes.toString("hex"), ...base64].map((text) => Buffer.from(text))];
}

/** The key in a Web3 Secret Storage file, 32 bytes. */
function privateKeyOf(file: string, password: string): Buffer {
  const { Crypto, crypto = Crypto } = JSON.parse(readFileSync(file, "utf8"));
  const { n, r, p, dklen, salt } = crypto.kdfparams;
  const cost = { N: n, r, p, maxmem: 256 * n * r };
  const derived = scryptSync(password, Buffer.from(salt, "hex"), dklen, cost);
  const decipher = createDecipheriv("aes-128-ctr", derived.subarray(0, 16), Buffer.from(crypto.cipherparams.iv, "hex"));
  return Buffer.concat([decipher.update(Buffer.from(crypto.ciphertext, "hex")), decipher.final()]);
}
