import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { answerDigest, baseUnits, type Receipt, receiptDomain } from "@foldmark/protocol";
import { callRequest } from "@foldmark/workloads";
import type { Address } from "viem";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeMonteCarlo, writeTinyChat } from "../../gateway/test/support/packages.ts";
import { checkCall } from "../src/checks/simulation.ts";
import { type ChainReader, type CheckName, type VerifyOptions, verify } from "../src/index.ts";
import {
  API_KEY,
  ASKED,
  aChain,
  aReceipt,
  asJson,
  BODY,
  honestTokens,
  OPERATOR,
  openWorld,
  PROVIDERS,
  type World,
} from "./receipts.ts";

const folder = mkdtempSync(path.join(tmpdir(), "foldmark-sdk-"));
let world: World;
let text: string;

beforeAll(async () => {
  world = await openWorld(await writeTinyChat(folder));
  text = world.pkg.tokenizer().decode(honestTokens(world).tokens);
});
afterAll(() => {
  world.engine.close();
  rmSync(folder, { recursive: true, force: true });
});

const check = (receipt: Receipt, options: Partial<VerifyOptions> = {}) =>
  verify(asJson(receipt), { package: world.pkg, engine: world.engine, messages: ASKED, text, ...options });

const other = (token: number) => (token > 16 ? token - 1 : token + 17);

const anOffer = (provider: Address, more = 0n) => ({
  ...{ provider, assurance: "exact" as const, isPaused: false },
  prices: { in: baseUnits(100_000n + more), out: baseUnits(400_000n), unit: baseUnits(0n) },
  stake: { amount: baseUnits(100n), unbonding: baseUnits(0n) },
});

describe("verify", () => {
  it("finds everything in order in an honest receipt", async () => {
    const receipt = await aReceipt(world);
    const all = { body: BODY, apiKey: API_KEY, chain: aChain(receipt) };
    const { ok, findings, execution } = await check(receipt, all);
    expect(findings.map(({ check, status }) => [check, status])).toEqual([
      ...["receipt", "market", "model", "statement", "answer", "caller", "request", "text", "cut"].map((name) => [
        ...[name, "holds"],
      ]),
      ...["routing", "inputs", "price", "execution"].map((name) => [name, "holds"]),
    ]);
    expect(ok).toBe(true);
    expect(execution).toEqual({ equal: true });
  });

  it("opens and closes an engine of its own when none is given", async () => {
    const { ok, execution } = await verify(asJson(await aReceipt(world)), {
      package: world.pkg,
      messages: ASKED,
      text,
    });
    expect({ ok, execution }).toEqual({ ok: true, execution: { equal: true } });
  });

  describe("with nothing but the messages", () => {
    const status = async (options: Partial<VerifyOptions>, receipt: Promise<Receipt> = aReceipt(world)) => {
      const { ok, findings } = await check(await receipt, options);
      const named = (name: CheckName) => findings.find(({ check }) => check === name)?.status;
      return { ok, request: named("request"), text: named("text"), cut: named("cut") };
    };

    it("compares the prompt, and accuses nobody of what was not said", async () => {
      const { messages } = ASKED;
      expect(await status({ messages })).toEqual({ ok: true, request: "unchecked", text: "holds", cut: "unchecked" });
      const cut = aReceipt(world, { tokens: (all) => all.slice(0, 5), limit: 5, cut: { by: "stop", stop: "x" } });
      expect(await status({ messages, text: (await cutText(5)).slice(0, 2) }, cut)).toEqual({
        ...{ ok: true, request: "unchecked", text: "unchecked", cut: "unchecked" },
      });
    });

    it("fails other messages, and another text", async () => {
      const messages = [{ role: "user", content: "Say nothing." }];
      expect(await status({ messages })).toMatchObject({ ok: false, request: "fails" });
      expect(await status({ messages: ASKED.messages, text: `${text}.` })).toMatchObject({ ok: false, text: "fails" });
    });
  });

  it("names the position of a changed token and the scores that refute it", async () => {
    const at = 3;
    const receipt = await aReceipt(world, { tokens: (tokens) => tokens.map((t, i) => (i === at ? other(t) : t)) });
    const { ok, execution } = await check(receipt);
    const { tokens, prompt } = honestTokens(world);
    expect(ok).toBe(false);
    expect(execution).toMatchObject({
      equal: false,
      rule: "token",
      position: prompt.length + at,
      claimed: { token: other(tokens[at] ?? 0) },
      expected: { token: tokens[at] },
    });
  });

  const passesOver = (content: Parameters<NonNullable<Parameters<typeof aReceipt>[1]>["content"] & object>[0]) => ({
    ...content,
    routing: {
      ...content.routing,
      // the other provider, alone before this one and not among the skipped
      candidates: content.routing.candidates.map((candidate) =>
        candidate.provider === content.answer.payee
          ? candidate
          : { ...candidate, stake: { amount: baseUnits(100_000n), unbonding: baseUnits(0n) } },
      ),
    },
  });

  it.each<{
    lie: string;
    fails: CheckName;
    receipt: () => Promise<Receipt>;
    options?: Partial<VerifyOptions>;
    chain?: Partial<ChainReader>;
  }>([
    {
      lie: "another text was shown",
      fails: "text",
      receipt: () => aReceipt(world),
      options: { text: "something else" },
    },
    {
      lie: "other messages were answered",
      fails: "request",
      receipt: () => aReceipt(world),
      options: { messages: { ...ASKED, messages: [{ role: "user", content: "Say nothing." }] } },
    },
    {
      lie: "another temperature was used",
      fails: "request",
      receipt: () => aReceipt(world),
      options: { messages: { ...ASKED, temperature: 0.9 } },
    },
    {
      lie: "another seed was used",
      fails: "request",
      receipt: () => aReceipt(world),
      options: { messages: { ...ASKED, seed: 43 } },
    },
    {
      lie: "the price is one unit too high",
      fails: "price",
      receipt: () => aReceipt(world, { content: (c) => ({ ...c, price: baseUnits(c.price + 1n) }) }),
    },
    {
      lie: "a provider with more weight was passed over",
      fails: "routing",
      receipt: () => aReceipt(world, { content: passesOver }),
    },
    {
      lie: "the claimed tensor is not the signed one",
      fails: "statement",
      receipt: () =>
        aReceipt(world, { content: (c) => ({ ...c, claimed: c.claimed.map((tensor) => tensor.map((b) => b ^ 1)) }) }),
    },
    {
      lie: "the gateway that is named did not sign",
      fails: "receipt",
      receipt: async () => {
        const [a, b] = [await aReceipt(world), await aReceipt(world, { limit: 11 })];
        return { ...a, signature: b.signature };
      },
    },
    {
      lie: "the answer ends before the limit and nobody cut it",
      fails: "cut",
      receipt: () => aReceipt(world, { tokens: (tokens) => tokens.slice(0, 5), limit: 5 }),
      options: { text: undefined as never },
    },
    {
      lie: "a key that never answered for the provider signed",
      fails: "answer",
      receipt: () => aReceipt(world, { signer: OPERATOR }),
      chain: {},
    },
    {
      lie: "such a key names until 0, which is what a chain says of it",
      fails: "answer",
      receipt: () => aReceipt(world, { signer: OPERATOR, until: 0n }),
      chain: {},
    },
    {
      lie: "it is said to be of another kind",
      fails: "model",
      receipt: () => aReceipt(world, { content: (c) => ({ ...c, kind: "simulation" }) }),
    },
    {
      lie: "it was paid through a channel of no model",
      fails: "answer",
      receipt: () => aReceipt(world, { content: (c) => ({ ...c, channel: { ...c.channel, model: 0n } }) }),
    },
    {
      lie: "another body was routed",
      fails: "caller",
      receipt: () => aReceipt(world),
      options: { body: `${BODY} ` },
    },
    {
      lie: "another account was routed",
      fails: "caller",
      receipt: () => aReceipt(world),
      options: { apiKey: "sk-of-another" },
    },
    {
      lie: "the seed was not the gateway's",
      fails: "request",
      receipt: () => aReceipt(world, { content: (c) => ({ ...c, seedByGateway: true }) }),
    },
    {
      lie: "another model was answered",
      fails: "request",
      receipt: () => aReceipt(world),
      options: { messages: { ...ASKED, model: "another" } },
    },
    {
      lie: "it counts another usage",
      fails: "request",
      receipt: () =>
        aReceipt(world, { content: (c) => ({ ...c, usage: { ...c.usage, answerTokens: c.usage.answerTokens + 1 } }) }),
    },
    {
      lie: "it says that it was cut and was not",
      fails: "cut",
      receipt: () =>
        aReceipt(world, { content: (c) => ({ ...c, cut: { by: "client" as const, tokens: c.usage.answerTokens } }) }),
    },
    {
      lie: "a client cut it who did not",
      fails: "cut",
      receipt: () => aReceipt(world, { tokens: (tokens) => tokens.slice(0, 5), limit: 5, cut: { by: "client" } }),
    },
    {
      lie: "the gateway cut it",
      fails: "cut",
      receipt: () => aReceipt(world, { tokens: (tokens) => tokens.slice(0, 5), limit: 5, cut: { by: "gateway" } }),
    },
    {
      lie: "a stop string ended it that is not in it",
      fails: "cut",
      receipt: () =>
        aReceipt(world, { tokens: (tokens) => tokens.slice(0, 5), limit: 5, cut: { by: "stop", stop: "never" } }),
      options: { messages: { ...ASKED, stop: "never" } },
    },
    {
      lie: "its answer can no longer be challenged",
      fails: "market",
      receipt: () => aReceipt(world, { content: (c) => ({ ...c, issuedAt: c.answer.until }) }),
    },
    {
      lie: "its answer can be challenged for less than the window",
      fails: "market",
      receipt: () => aReceipt(world),
      chain: { terms: { windowSeconds: 601n, penalty: baseUnits(10n) } },
    },
    {
      lie: "it is of another market",
      fails: "market",
      receipt: () => aReceipt(world),
      chain: { channels: "0x2222222222222222222222222222222222222222" },
    },
    {
      lie: "stakes are weighed by another penalty",
      fails: "market",
      receipt: () => aReceipt(world),
      chain: { terms: { windowSeconds: 600n, penalty: baseUnits(11n) } },
    },
    {
      lie: "another class was ranked than is promised",
      fails: "routing",
      receipt: () =>
        aReceipt(world, { content: (c) => ({ ...c, model: { ...c.model, assurance: "reputed" as const } }) }),
    },
    {
      lie: "a block is no key block",
      fails: "inputs",
      receipt: () =>
        aReceipt(world, {
          content: (c) => ({ ...c, routing: { ...c.routing, keyBlock: { ...c.routing.keyBlock, number: 65n } } }),
        }),
    },
    {
      lie: "the key block is not the chain's",
      fails: "inputs",
      receipt: () => aReceipt(world),
      chain: { block: async () => undefined },
    },
    {
      lie: "the key was old",
      fails: "inputs",
      receipt: () =>
        aReceipt(world, {
          content: (c) => ({
            ...c,
            routing: { ...c.routing, keyBlock: { ...c.routing.keyBlock, timestamp: 1_699_000_000n } },
          }),
        }),
      chain: {},
    },
    {
      lie: "an offer has another price",
      fails: "inputs",
      receipt: () => aReceipt(world),
      chain: { offers: async () => PROVIDERS.map(({ address }) => anOffer(address, 1n)) },
    },
    {
      lie: "a candidate was left out",
      fails: "inputs",
      receipt: () => aReceipt(world),
      chain: { offers: async () => [...PROVIDERS, OPERATOR].map(({ address }) => anOffer(address)) },
    },
    {
      lie: "the alias was another's",
      fails: "inputs",
      receipt: () =>
        aReceipt(world, { content: (c) => ({ ...c, model: { ...c.model, alias: { name: "tiny", block: 60n } } }) }),
      chain: { alias: async () => undefined },
    },
  ])("fails at $fails when $lie", async ({ fails, receipt: make, options, chain }) => {
    const receipt = await make();
    const given =
      options && "text" in options && options.text === undefined ? { ...options, text: await cutText(5) } : options;
    const { ok, findings } = await check(receipt, { ...given, ...(chain && { chain: aChain(receipt, chain) }) });
    expect(ok).toBe(false);
    expect(findings.filter(({ status }) => status === "fails").map(({ check }) => check)).toContain(fails);
  });

  const cutText = async (n: number) => world.pkg.tokenizer().decode(honestTokens(world).tokens.slice(0, n));

  it("takes an answer that its caller cut", async () => {
    const receipt = await aReceipt(world, { tokens: (tokens) => tokens.slice(0, 5), limit: 5, cut: { by: "client" } });
    const { ok } = await check(receipt, { cut: true, text: await cutText(5) });
    expect(ok).toBe(true);
  });

  it("takes an answer that a stop string of its caller ended, and shows the text before it", async () => {
    const { tokens } = honestTokens(world);
    const stop = (await cutText(5)).slice((await cutText(4)).length);
    const first =
      Array.from(tokens.keys()).findIndex((i) =>
        world.pkg
          .tokenizer()
          .decode(tokens.slice(0, i + 1))
          .includes(stop),
      ) + 1;
    const receipt = await aReceipt(world, {
      tokens: (all) => all.slice(0, first),
      limit: first,
      cut: { by: "stop", stop },
    });
    const shown = (await cutText(first)).slice(0, (await cutText(first)).indexOf(stop));
    const { ok, findings } = await check(receipt, { messages: { ...ASKED, stop }, text: shown });
    expect(findings.filter(({ status }) => status === "fails")).toEqual([]);
    expect(ok).toBe(true);
  });

  it("does not judge an operator's key without a chain, and takes it with one", async () => {
    const receipt = await aReceipt(world, { signer: OPERATOR });
    const status = async (options: Partial<VerifyOptions>) =>
      (await check(receipt, options)).findings.find(({ check }) => check === "answer")?.status;
    expect(await status({})).toBe("unchecked");
    const chain = aChain(receipt, { answerableUntil: async () => 2n ** 40n - 1n });
    expect(await status({ chain })).toBe("holds");
    expect(PROVIDERS.map(({ address }) => address)).not.toContain(OPERATOR.address);
  });

  it("fails an answer that the court has convicted, whoever signed it", async () => {
    const receipt = await aReceipt(world);
    const digest = answerDigest(receiptDomain(receipt), receipt.answer);
    const chain = aChain(receipt, { convictedAt: async (asked) => (asked === digest ? 1_764_100_200n : 0n) });
    const { ok, findings } = await check(receipt, { chain });
    expect(ok).toBe(false);
    const { status, detail } = findings.find(({ check }) => check === "answer") ?? {};
    expect({ status, detail }).toEqual({ status: "fails", detail: expect.stringContaining("at 1764100200") });
  });

  it("does not compute with a package that the receipt is not about", async () => {
    const { ok, findings, execution } = await check(await aReceipt(world), { package: await writeMonteCarlo(folder) });
    expect(ok).toBe(false);
    expect(execution).toBeUndefined();
    expect(findings.find(({ check }) => check === "model")?.status).toBe("fails");
  });

  it("fails a request to which no answer is true, whoever signed one", async () => {
    const receipt = await aReceipt(world, {
      request: ([prompt = new Uint8Array(), ...rest]) => [prompt.fill(1, -1), ...rest],
    });
    const { ok, findings, execution } = await check(receipt);
    expect(findings.find(({ check }) => check === "request")).toMatchObject({ status: "fails" });
    expect({ ok, execution }).toEqual({ ok: false, execution: undefined });
  });

  it("fails messages that the model's template does not take", async () => {
    const messages = { ...ASKED, messages: [{ role: "nobody", content: "Say something." }] };
    const { findings } = await check(await aReceipt(world), { messages });
    expect(findings.find(({ check }) => check === "request")).toMatchObject({ status: "fails" });
  });

  it("compares the order of a simulation", async () => {
    const pkg = await writeMonteCarlo(mkdtempSync(path.join(folder, "call-")));
    const parameters = { rate: 0.05, volatility: 0.2, maturity: 1, strike: 105, spot: 100 };
    const order = { rate: 0.05, volatility: 0.2, maturity: 1, strike: 1.05, seed: 7n, blocks: 4 };
    const request = callRequest(order, { maxT: pkg.program.maxT });
    const status = (asked: unknown, seedByGateway = false) => checkCall({ request, seedByGateway }, pkg, asked).status;
    const asked = { parameters, paths: 4_096, seed: 7 };
    expect(status(asked)).toBe("holds");
    expect(status({ ...asked, seed: null }, true)).toBe("holds");
    expect(status(undefined)).toBe("unchecked");
    for (const lie of [{ seed: 8 }, { paths: 8_192 }, { seed: null }, { parameters: { ...parameters, rate: 0.04 } }])
      expect(status({ ...asked, ...lie })).toBe("fails");
  });

  it("refuses JSON that is no receipt, and messages that are none", async () => {
    await expect(verify({}, { package: world.pkg })).rejects.toMatchObject({ code: "receipt.malformed" });
    await expect(check(await aReceipt(world), { messages: "hello" })).rejects.toMatchObject({
      code: "request.invalid",
    });
  });
});
