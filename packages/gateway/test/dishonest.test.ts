import { baseUnits, checkRouting, parseReceipt } from "@foldmark/protocol";
import { paymentChannelsAbi } from "@foldmark/protocol/abi";
import OpenAI from "openai";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { accountAt } from "./support/chain.ts";
import { openWorld, PRICES, type World } from "./support/world.ts";

let world: World;
let client: OpenAI;
beforeAll(async () => {
  world = await openWorld({ settings: { housekeepingMs: 100 } });
  client = new OpenAI({ apiKey: world.keys.rich.key, baseURL: `${world.gateway.url}/v1`, maxRetries: 0 });
}, 120_000);
afterAll(() => world[Symbol.asyncDispose]());
beforeEach(() => world.reset());

const TEXT = "the quick brown fox jumps over the lazy dog";
type Foldmark = {
  receipt_id: string;
  provider: string;
  price: string;
  skipped: { provider: string; reason: string }[];
};

async function ask(seed = 1) {
  const messages = [{ role: "user" as const, content: "the house" }];
  const answer = await client.chat.completions.create({ model: "tiny-chat", messages, seed });
  expect(answer.choices[0]?.message.content).toBe(TEXT);
  const foldmark = (answer as unknown as { x_foldmark: Foldmark }).x_foldmark;
  const response = await fetch(`${world.gateway.url}/v1/receipts/${foldmark.receipt_id}`, {
    headers: { authorization: `Bearer ${world.keys.rich.key}` },
  });
  const receipt = parseReceipt(await response.json());
  expect(checkRouting(receipt).status).toBe("ok");
  return { ...foldmark, receipt };
}

/** A seed whose request goes to the given provider first. */
async function seedFor(address: string): Promise<number> {
  for (let seed = 100; seed < 200; seed++) if ((await ask(seed)).provider === address) return seed;
  throw new Error("no seed found");
}

describe("an Answer that is refused", () => {
  it.each([
    { behaviour: "is signed by a key that nobody allowed", script: { strangersKey: accountAt(7) } },
    { behaviour: "cannot be challenged for the whole window", script: { untilTooEarly: 600n } },
  ])("replaces its provider when it $behaviour", async ({ script }) => {
    world.script(script);
    const { skipped, provider } = await ask();
    expect(skipped).toEqual([{ provider: expect.any(String), reason: "failed", tokens: expect.any(Number) }]);
    expect(skipped[0]?.provider).not.toBe(provider);
  });

  it("is settled as nothing owed when the provider says so later", async () => {
    world.script({ diesAfter: 0 });
    await ask();
    expect(await openVouchers()).toBeGreaterThan(0);
    world.reset(); // hours later
    await expect.poll(openVouchers, { timeout: 10_000 }).toBe(0);
  });
});

describe("prices that changed", () => {
  it("are read again from the chain, and the request is routed by them", async () => {
    const [first] = world.providers;
    const [actor] = world.actors;
    if (!first || !actor) throw new Error("no provider");
    const seed = await seedFor(first.address);
    const dearer = { in: baseUnits(PRICES.priceIn), out: baseUnits(500_000n), unit: baseUnits(PRICES.priceUnit) };
    world.reset();
    first.setPrices(dearer);
    await actor.offer(world.chat.assetId, { ...PRICES, priceOut: 500_000n });
    world.script({ refuse: { status: 409, code: "price.changed", prices: dearer } });
    const { receipt, provider, skipped } = await ask(seed);
    const paid = receipt.routing.candidates.find((candidate) => candidate.provider === first.address);
    expect(paid?.prices.out).toBe(500_000n);
    // asked first, it said that its prices are others; asked again at those, it answers
    expect(skipped).toEqual([{ provider: first.address, reason: "price_changed", tokens: 0 }]);
    if (provider === first.address) expect(receipt.prices.out).toBe(500_000n);
  });
});

// these end a channel for good, so they come last
describe("a channel whose provider breaks trust", () => {
  it.each([
    { behaviour: "signs other tokens than it gave", script: { signsOther: true }, reason: "mismatch" },
    { behaviour: "charges more than the price", script: { overcharges: 1_000_000n }, reason: "failed" },
  ])("is never used again when it $behaviour", async ({ script, reason }) => {
    world.script(script);
    const { skipped } = await ask();
    expect(skipped.at(-1)).toMatchObject({ reason });
    const liar = skipped.at(-1)?.provider ?? "";
    world.reset();
    for (let seed = 0; seed < 6; seed++) expect((await ask(seed)).provider).not.toBe(liar);
    expect(world.byAddress(liar).asked).toEqual([]);
  });

  it("gives its deposit back after the notice", async () => {
    const { contracts } = world.deployment;
    const { client } = world.connection;
    const exits = () =>
      client.getContractEvents({
        address: contracts.channels,
        abi: paymentChannelsAbi,
        eventName: "Exited",
        fromBlock: 0n,
      });
    const started = () =>
      client.getContractEvents({
        address: contracts.channels,
        abi: paymentChannelsAbi,
        eventName: "ExitStarted",
        fromBlock: 0n,
      });
    await expect.poll(async () => (await started()).length, { timeout: 10_000 }).toBe(2);
    expect(await exits()).toEqual([]);
    await world.anvil.test.increaseTime({ seconds: 601 });
    await world.anvil.test.mine({ blocks: 1 });
    await expect.poll(async () => (await exits()).length, { timeout: 10_000 }).toBe(2);
    expect((await exits()).every(({ args }) => (args.amount ?? 0n) > 0n)).toBe(true);
  });
});

/** Money at risk on channels: what the metrics of a gateway's operator would show as vouchers without an end. */
async function openVouchers(): Promise<number> {
  const text = await (await fetch(`${world.gateway.url}/metrics`)).text();
  return Number(/^foldmark_gateway_unsettled_vouchers (\d+)$/m.exec(text)?.[1] ?? Number.NaN);
}
