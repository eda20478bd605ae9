import { assetIdFromUint, channelIdOf, domainOf } from "@foldmark/protocol";
import { modelRegistryAbi, paymentChannelsAbi, providerRegistryAbi, testUSDAbi } from "@foldmark/protocol/abi";
import fc from "fast-check";
import { getContract } from "viem";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type ChainConnection, Indexer, type MarketEvent, MarketView } from "../src/index.ts";
import { booksOf, incomeAt, owedBy } from "./support/books.ts";
import { connectLocal, deployMarket, startAnvil } from "./support/market.ts";
import { ALIASES, type Call, openRandomMarket } from "./support/randomMarket.ts";

const HOLD = 1_200n;

let chain: Awaited<ReturnType<typeof startAnvil>>;
let connection: ChainConnection;
beforeAll(async () => {
  chain = await startAnvil();
  connection = await connectLocal(chain.url);
});
afterAll(() => chain[Symbol.asyncDispose]());

const amount = fc.integer({ min: 0, max: 20_000 });
const aCall: fc.Arbitrary<Call> = fc.record({
  which: fc.nat(1_000),
  a: fc.nat(1_000),
  b: amount,
  wait: fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, fc.integer({ min: 1, max: 1_500 })),
});
/** Money on every channel and stake, so that what follows has something to move: calls 0 and 7 of the market. */
const START: Call[] = [0, 1, 2, 3].map((a) => ({ which: a < 2 ? 0 : 7, a, b: 20_000, wait: 1 }));

/** A market in which random calls were made, its events as an indexer delivers them, and a moment in mid-epoch. */
async function playMarket(calls: readonly Call[]) {
  const deployment = await deployMarket(connection);
  const market = await openRandomMarket(connection, deployment, chain.test);
  for (const call of [...START, ...calls]) await market.call(call);
  const { timestamp } = await connection.client.getBlock();
  // a view of the latest block may run with the next second's time: not where that would be another epoch
  await chain.test.setNextBlockTimestamp({ timestamp: (timestamp / HOLD + 1n) * HOLD + HOLD / 2n });
  await chain.test.mine({ blocks: 1 });

  const events: { event: MarketEvent; timestamp: bigint }[] = [];
  const recorder = {
    apply: async (block: { timestamp: bigint }, own: readonly MarketEvent[]) => {
      events.push(...own.map((event) => ({ event, timestamp: block.timestamp })));
    },
    rollback: async () => undefined,
  };
  const view = new MarketView();
  await new Indexer(connection.client, [recorder, view], { deployment, confirmations: 1 }).sync();
  const at = { client: connection.client } as const;
  const { channels, models, providers, token } = deployment.contracts;
  return {
    ...{ deployment, market, events, view, epoch: timestamp / HOLD + 1n },
    channels: getContract({ ...at, address: channels, abi: paymentChannelsAbi }).read,
    models: getContract({ ...at, address: models, abi: modelRegistryAbi }).read,
    providers: getContract({ ...at, address: providers, abi: providerRegistryAbi }).read,
    token: getContract({ ...at, address: token, abi: testUSDAbi }).read,
  };
}

async function expectMoney({
  deployment,
  market,
  events,
  channels,
  token,
  epoch,
}: Awaited<ReturnType<typeof playMarket>>) {
  const books = booksOf(events, HOLD);
  for (const channel of market.channels) {
    const id = channelIdOf(domainOf(deployment), channel);
    const balance = await channels.balanceOf([id]);
    expect(books.balances.get(id) ?? { deposit: 0n, redeemed: 0n, slack: 0n }, "balance").toEqual(balance);
    const { amount, readyAt } = await channels.exitOf([id]);
    expect(books.exits.get(id)?.amount ?? 0n, "exit").toBe(amount);
    if (amount > 0n) expect(books.exits.get(id)?.readyAt, "exit").toBe(BigInt(readyAt));
  }
  for (const person of market.people) {
    const { amount, unbonding, releasedAt } = await channels.stakeOf([person]);
    const stake = { amount, unbonding, releasedAt: BigInt(releasedAt) };
    expect(books.stakes.get(person) ?? { amount: 0n, unbonding: 0n, releasedAt: 0n }, "stake").toEqual(stake);
    expect(books.credits.get(person) ?? 0n, "credit").toBe(await channels.creditOf([person]));
  }
  for (const { address } of market.payees)
    expect(incomeAt(books, address, epoch), "held and ready").toEqual(await channels.incomeOf([address]));
  for (const assetId of market.assets)
    expect(books.modelIncomes.get(BigInt(assetId)) ?? 0n, "model").toBe(
      await channels.modelIncomeOf([BigInt(assetId)]),
    );
  expect(owedBy(books) + books.burnt, "tokens").toBe(await token.balanceOf([deployment.contracts.channels]));
}

async function expectMarket({ market, view, channels, models, providers }: Awaited<ReturnType<typeof playMarket>>) {
  for (const assetId of market.assets) {
    const id = BigInt(assetId);
    expect(view.asset(assetId)).toMatchObject({
      owner: await models.ownerOf([id]),
      metadataUri: await models.tokenURI([id]),
      packageUris: await models.packageUrisOf([id]),
    });
    const offers = (await providers.offers([id, 0n, 10n])).map(({ provider, offer }) => [provider, offer.priceOut]);
    const seen = view.offersOf(assetId).map(({ candidate }) => [candidate.provider, candidate.prices.out]);
    expect(seen.sort(), "offers").toEqual(offers.sort());
  }
  for (const name of ALIASES) {
    const history = await models.aliasHistory([name, 0n, 100n]);
    expect(view.resolve(name)?.asset.assetId).toEqual(history.map(({ assetId }) => assetIdFromUint(assetId)).at(-1));
  }
  expect(view.providers().map(({ address, endpoint, isPaused }) => ({ address, endpoint, isPaused }))).toEqual(
    (await providers.providers([0n, 10n])).map(({ account, endpoint, paused }) => ({
      ...{ address: account, endpoint, isPaused: paused },
    })),
  );
  for (const person of market.people) {
    const { amount, unbonding } = await channels.stakeOf([person]);
    expect(view.stakeOf(person)).toEqual({ amount, unbonding });
    for (const key of market.people)
      expect(view.answerableUntil(person, key)).toBe(BigInt(await channels.answerableUntil([person, key])));
  }
}

it("after any calls, the events alone tell every amount, every key and every offer that the contracts hold", async () => {
  const kinds = new Set<string>();
  await fc.assert(
    fc.asyncProperty(fc.array(aCall, { minLength: 150, maxLength: 200 }), async (calls) => {
      const played = await playMarket(calls);
      await expectMoney(played);
      await expectMarket(played);
      for (const { event } of played.events) kinds.add(event.eventName);
    }),
    { numRuns: 3, seed: 2026, endOnFailure: true },
  );
  // the calls were not all refused: these move money that no other event tells of
  for (const kind of ["Redeemed", "Split", "Overcharged", "StakeTaken", "Exited", "Unbonded", "ModelIncomeTaken"])
    expect(kinds, kind).toContain(kind);
});
