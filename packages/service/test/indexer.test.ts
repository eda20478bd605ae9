import {
  answerDigest,
  assetIdOf,
  baseUnits,
  chainNow,
  channelIdOf,
  domainOf,
  domainSeparator,
  modelIdOf,
  signAnswer,
  signVoucher,
  statementIdOf,
  toAddress,
  toChannelId,
  toCompactSignature,
  toHash,
  toStatementId,
} from "@foldmark/protocol";
import { paymentChannelsAbi } from "@foldmark/protocol/abi";
import { numberToHex } from "viem";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  ANSWERABLE_FOREVER,
  type ChainConnection,
  checkDeployment,
  connectChain,
  Indexer,
  MarketView,
  readMarketTerms,
} from "../src/index.ts";
import { accountAt, actor, connectLocal, deployMarket, PENALTY, registration, startAnvil } from "./support/market.ts";

let chain: Awaited<ReturnType<typeof startAnvil>>;
let connection: ChainConnection;
let deployment: Awaited<ReturnType<typeof deployMarket>>;
beforeAll(async () => {
  chain = await startAnvil();
  connection = await connectLocal(chain.url);
});
afterAll(() => chain[Symbol.asyncDispose]());
beforeEach(async () => {
  deployment = await deployMarket(connection);
});

const assetId = assetIdOf(
  modelIdOf({
    header: registration.header,
    programRoot: toHash(registration.programRoot),
    weightsRoot: toHash(registration.weightsRoot),
  }),
  toHash(registration.packageHash),
);

function index({ confirmations = 1, reorgDepth = 64, rangeBlocks = 2000 } = {}) {
  const view = new MarketView({ reorgDepth });
  return {
    view,
    indexer: new Indexer(connection.client, [view], { deployment, confirmations, reorgDepth, rangeBlocks }),
  };
}
/** Everything that a view says, for comparison. */
const contentOf = (view: MarketView) => ({
  providers: view.providers(),
  offers: view.offersOf(assetId),
  assets: view.assets(),
  aliases: view.aliasesOf(assetId),
});

describe("Indexer and MarketView", () => {
  it("know the whole market from its events", async () => {
    const [owner, provider] = [actor(connection, deployment, 1), actor(connection, deployment, 2)];
    const key = accountAt(3).address;
    await owner.registerModel(assetId);
    await owner.alias("chat-small", assetId);
    await provider.register("http://127.0.0.1:8420");
    await provider.stake(100_000_000n);
    await provider.offer(assetId, 400_000n);
    await provider.operator(key, true);
    const { view, indexer } = index();
    await indexer.sync();

    expect(view.resolve("chat-small")).toMatchObject({
      asset: { assetId, licence: "Apache-2.0", royaltyBps: 500, owner: owner.account.address },
      alias: { name: "chat-small", block: view.head?.number },
    });
    expect(view.resolve(assetId)).toMatchObject({
      alias: undefined,
      asset: { packageUris: ["https://models.example/a"], predecessor: undefined },
    });
    expect(view.resolve("unknown")).toBeUndefined();
    expect(view.offersOf(assetId)).toEqual([
      {
        candidate: {
          provider: provider.account.address,
          assurance: "exact",
          isPaused: false,
          prices: { in: 100_000n, out: 400_000n, unit: 0n },
          stake: { amount: 100_000_000n, unbonding: 0n },
          conductEvents: 0,
        },
        endpoint: "http://127.0.0.1:8420",
        hardware: expect.objectContaining({ kind: "cpu", device: "Test CPU" }),
        mode: "ahead",
        capacity: 8,
      },
    ]);
    expect(view.answerableUntil(provider.account.address, provider.account.address)).toBe(ANSWERABLE_FOREVER);
    expect(view.answerableUntil(provider.account.address, key)).toBe(ANSWERABLE_FOREVER);
    expect(view.answerableUntil(provider.account.address, owner.account.address)).toBe(0n);

    await provider.pause(true);
    await provider.unbond(40_000_000n);
    await provider.operator(key, false);
    await provider.offer(assetId, 500_000n);
    await indexer.sync();
    expect(view.offersOf(assetId)[0]?.candidate).toMatchObject({
      isPaused: true,
      prices: { out: 500_000n },
      stake: { amount: 100_000_000n, unbonding: 40_000_000n },
    });
    const until = await connection.client.readContract({
      address: deployment.contracts.channels,
      abi: paymentChannelsAbi,
      functionName: "answerableUntil",
      args: [provider.account.address, key],
    });
    expect(view.answerableUntil(provider.account.address, key)).toBe(BigInt(until));
    await provider.removeOffer(assetId);
    await indexer.sync();
    expect(view.offersOf(assetId)).toEqual([]);

    // the same from nothing, in ranges of any size
    for (const rangeBlocks of [1, 3, 2000]) {
      const fresh = index({ rangeBlocks });
      await fresh.indexer.sync();
      expect(contentOf(fresh.view), `ranges of ${rangeBlocks}`).toEqual(contentOf(view));
    }
  });

  it.each([
    { behaviour: "another chain as long", mined: 5 },
    { behaviour: "a longer chain", mined: 8 },
    { behaviour: "a shorter chain", mined: 2 },
  ])("follow a reorganisation five deep to $behaviour", async ({ mined }) => {
    const [owner, provider] = [actor(connection, deployment, 1), actor(connection, deployment, 2)];
    await owner.registerModel(assetId);
    await provider.register("http://before.example");
    const { view, indexer } = index();
    await indexer.sync();
    const before = contentOf(view);
    await provider.offer(assetId, 1n);
    await provider.offer(assetId, 2n);
    await provider.pause(true);
    await owner.alias("gone", assetId);
    await provider.removeOffer(assetId);
    await indexer.sync();
    expect(view.resolve("gone")).toBeDefined();

    await chain.test.request({ method: "anvil_rollback", params: [5] } as never);
    await chain.test.mine({ blocks: mined });
    const report = await indexer.sync();
    expect(report.rolledBack).toBe(5);
    expect(contentOf(view)).toEqual(before);
    expect(view.head).toEqual(indexer.head);
    expect(view.head?.number).toBe(await connection.client.getBlockNumber());

    await provider.offer(assetId, 9n);
    await indexer.sync();
    const fresh = index();
    await fresh.indexer.sync();
    expect(contentOf(view)).toEqual(contentOf(fresh.view));
    expect(view.offersOf(assetId)[0]?.candidate.prices.out).toBe(9n);
  });

  it("never mix two chains when one replaces the other between two questions", async () => {
    const provider = actor(connection, deployment, 2);
    await provider.register("http://before.example");
    for (const method of ["getBlock", "getLogs"] as const) {
      const start = await connection.client.getBlockNumber();
      await provider.pause(true);
      let isReplaced = false;
      // the real client, but the chain is another one right after the first answer of one kind
      const client = {
        ...connection.client,
        [method]: async (...args: never[]) => {
          const result = await (connection.client[method] as (...args: never[]) => Promise<unknown>)(...args);
          if (!isReplaced) {
            isReplaced = true;
            await chain.test.request({
              method: "anvil_rollback",
              params: [Number((await connection.client.getBlockNumber()) - start)],
            } as never);
            await provider.pause(false);
          }
          return result;
        },
      } as typeof connection.client;
      const disturbed = new MarketView();
      await new Indexer(client, [disturbed], { deployment, confirmations: 1 }).sync();
      const fresh = index();
      await fresh.indexer.sync();
      expect(contentOf(disturbed), method).toEqual(contentOf(fresh.view));
      expect(disturbed.provider(provider.account.address)?.isPaused, method).toBe(false);
    }
  });

  it("say so when a reorganisation is deeper than what is kept", async () => {
    const { indexer } = index({ reorgDepth: 2 });
    await chain.test.mine({ blocks: 6 });
    await indexer.sync();
    await chain.test.request({ method: "anvil_rollback", params: [5] } as never);
    await chain.test.mine({ blocks: 6 });
    await expect(indexer.sync()).rejects.toMatchObject({ code: "chain.reorg_too_deep" });
  });

  it("ask for fewer blocks at once where a server refuses so many, and for more again later", async () => {
    const provider = actor(connection, deployment, 2);
    await provider.register("http://crowded.example");
    for (let n = 0; n < 6; n++) await provider.pause(n % 2 === 0);
    const ranges: number[] = [];
    const refusing = (most: number) =>
      ({
        ...connection.client,
        getLogs: async (range: { fromBlock: bigint; toBlock: bigint }) => {
          const size = Number(range.toBlock - range.fromBlock) + 1;
          ranges.push(size);
          if (size > most) throw new Error("query returned more than 10000 results");
          return connection.client.getLogs(range);
        },
      }) as unknown as typeof connection.client;
    const view = new MarketView();
    await new Indexer(refusing(3), [view], { deployment, confirmations: 1 }).sync();
    const fresh = index();
    await fresh.indexer.sync();
    expect(contentOf(view)).toEqual(contentOf(fresh.view));
    expect(Math.max(...ranges.slice(-2))).toBeGreaterThan(1);
    await expect(
      new Indexer(refusing(0), [new MarketView()], { deployment, confirmations: 1 }).sync(),
    ).rejects.toMatchObject({ code: "chain.unreachable" });
  });

  it("stay behind the head by the confirmations asked for", async () => {
    const provider = actor(connection, deployment, 2);
    await provider.register("http://127.0.0.1:1");
    const { view, indexer } = index({ confirmations: 3 });
    await indexer.sync();
    expect(view.providers()).toEqual([]);
    await chain.test.mine({ blocks: 2 });
    await indexer.sync();
    expect(view.providers()).toHaveLength(1);
    expect(view.head?.number).toBe((await connection.client.getBlockNumber()) - 2n);
  });

  it("count an overcharge, and know the stake that it left", async () => {
    const [owner, provider, payer] = [
      actor(connection, deployment, 1),
      actor(connection, deployment, 2),
      actor(connection, deployment, 4),
    ];
    await owner.registerModel(assetId);
    await provider.register("http://127.0.0.1:1");
    await provider.stake(100_000_000n);
    const domain = domainOf(deployment);
    const channel = {
      payer: payer.account.address,
      signer: payer.account.address,
      payee: provider.account.address,
      model: BigInt(assetId),
      salt: numberToHex(0, { size: 32 }),
    };
    await payer.deposit(channel, 1000n);
    const channelId = channelIdOf(domain, channel);
    const ceiling = baseUnits(900n);
    const contract = { address: deployment.contracts.channels, abi: paymentChannelsAbi } as const;
    const redeem = toCompactSignature(
      await signVoucher(payer.account, domain, { channelId, maxClaimableAmount: ceiling }),
    );
    const row = {
      payer: channel.payer,
      signer: channel.signer,
      salt: channel.salt,
      maxClaimableAmount: ceiling,
      amount: 900n,
      ...redeem,
    };
    await connection.client.waitForTransactionReceipt({
      hash: await connection
        .walletOf(provider.account)
        .writeContract({ ...contract, functionName: "redeem", args: [channel.payee, channel.model, [row]] }),
    });
    const { timestamp } = await connection.client.getBlock();
    const answer = {
      payee: channel.payee,
      statementId: toStatementId(numberToHex(7, { size: 32 })),
      channelId,
      maxClaimableAmount: ceiling,
      charged: baseUnits(100n),
      until: chainNow({ latestBlockTimestamp: timestamp, ownClockMs: 0 }) + 700n,
    };
    const { r, vs } = toCompactSignature(await signAnswer(provider.account, domain, answer));
    await connection.client.waitForTransactionReceipt({
      hash: await connection
        .walletOf(payer.account)
        .writeContract({ ...contract, functionName: "proveOvercharge", args: [channel, answer, r, vs] }),
    });

    const { view, indexer } = index();
    await indexer.sync();
    expect(view.conductEventsOf(provider.account.address)).toBe(1);
    const stake = await connection.client.readContract({ ...contract, functionName: "stakeOf", args: [channel.payee] });
    expect(view.stakeOf(channel.payee)).toEqual({ amount: stake.amount, unbonding: stake.unbonding });
    expect(stake.amount).toBeLessThan(100_000_000n);

    await chain.test.increaseTime({ seconds: 30 * 24 * 3600 });
    await chain.test.mine({ blocks: 1 });
    await indexer.sync();
    expect(view.conductEventsOf(provider.account.address)).toBe(0);
  });
});

/** A statement that is false because its T is 0: a challenge of it needs no evidence. */
const emptyJob = {
  header: registration.header,
  programRoot: toHash(registration.programRoot),
  weightsRoot: toHash(registration.weightsRoot),
  requestRoot: toHash(numberToHex(5, { size: 32 })),
  T: 0,
  claimedRoot: toHash(numberToHex(6, { size: 32 })),
};

describe("disputes in a MarketView", () => {
  it("are open until they are lost or the answer is convicted, which costs stake and counts", async () => {
    const [provider, first, second] = [
      actor(connection, deployment, 2),
      actor(connection, deployment, 3),
      actor(connection, deployment, 4),
    ];
    await provider.stake(80_000_000n);
    const domain = domainOf(deployment);
    const { timestamp } = await connection.client.getBlock();
    const answer = {
      payee: provider.account.address,
      statementId: statementIdOf(emptyJob),
      channelId: toChannelId(numberToHex(8, { size: 32 })),
      maxClaimableAmount: baseUnits(1n),
      charged: baseUnits(1n),
      until: timestamp + 600n,
    };
    const signature = await signAnswer(provider.account, domain, answer);
    const digest = answerDigest(domain, answer);
    const { view, indexer } = index();
    const disputeOf = async () => {
      await indexer.sync();
      return view.disputeOf(digest);
    };

    const { timestamp: openedAt } = await connection.client.getBlock();
    expect(await disputeOf()).toBeUndefined();
    await first.challenge({ answer, signature, statement: emptyJob });
    expect(await disputeOf()).toEqual({ payee: provider.account.address, open: 1, convictedAt: undefined });
    await provider.post(digest);
    await chain.test.setNextBlockTimestamp({ timestamp: openedAt + 350n });
    await second.challenge({ answer, signature, statement: emptyJob });
    expect(await disputeOf()).toMatchObject({ open: 2 });
    await second.timeout(digest, first.account.address);
    expect(await disputeOf()).toMatchObject({ open: 1 });
    expect(view.conductEventsOf(provider.account.address)).toBe(0);

    await second.refute(digest, emptyJob);
    const { timestamp: convictedAt } = await connection.client.getBlock();
    expect(await disputeOf()).toMatchObject({ open: 0, convictedAt });
    expect(view.conductEventsOf(provider.account.address)).toBe(1);
    expect(view.stakeOf(provider.account.address)).toEqual({ amount: 80_000_000n - PENALTY, unbonding: 0n });
  });
});

describe("a deployment", () => {
  it("has the constants and the domain that we sign for", async () => {
    expect(await readMarketTerms(connection.client, deployment)).toEqual({
      token: deployment.contracts.token,
      windowSeconds: 600n,
      clocksSeconds: 600n,
      holdSeconds: 1200n,
      noticeSeconds: 600n,
      penalty: PENALTY,
    });
    const contract = { address: deployment.contracts.channels, abi: paymentChannelsAbi } as const;
    expect(await connection.client.readContract({ ...contract, functionName: "DOMAIN_SEPARATOR" })).toBe(
      domainSeparator(domainOf(deployment)),
    );
    const channel = {
      payer: accountAt(1).address,
      signer: accountAt(2).address,
      payee: accountAt(3).address,
      model: BigInt(assetId),
      salt: numberToHex(9, { size: 32 }),
    };
    expect(await connection.client.readContract({ ...contract, functionName: "channelIdOf", args: [channel] })).toBe(
      channelIdOf(domainOf(deployment), channel),
    );
  });
  it("is refused when a contract is not there, by name", async () => {
    await expect(checkDeployment(connection, deployment)).resolves.toBeUndefined();
    const elsewhere = {
      ...deployment,
      contracts: { ...deployment.contracts, models: toAddress(numberToHex(99, { size: 20 })) },
    };
    await expect(checkDeployment(connection, elsewhere)).rejects.toMatchObject({
      code: "chain.no_contract",
      details: { name: "models" },
    });
  });
});

it("an indexer of a chain that has gone says so, and leaves errors of a projection as they are", async () => {
  const dead = await startAnvil();
  const gone = await connectLocal(dead.url);
  await dead[Symbol.asyncDispose]();
  await expect(new Indexer(gone.client, [], { deployment, confirmations: 1 }).sync()).rejects.toMatchObject({
    code: "chain.unreachable",
  });
  const failing = {
    apply: async () => {
      throw new Error("disk full");
    },
    rollback: async () => undefined,
  };
  await expect(new Indexer(connection.client, [failing], { deployment, confirmations: 1 }).sync()).rejects.toThrow(
    "disk full",
  );
});

describe("connectChain", () => {
  it("says which chain answered instead", async () => {
    await expect(connectChain({ rpc: [chain.url], chainId: 1 })).rejects.toMatchObject({
      code: "chain.wrong_id",
      details: { got: 31337, expected: 1 },
    });
  });
  it("says that nobody answers, without the key in the address", async () => {
    const failure = connectChain({ rpc: ["http://127.0.0.1:1/v3/secret-key"], chainId: 1 });
    await expect(failure).rejects.toMatchObject({
      code: "chain.unreachable",
      message: expect.not.stringContaining("secret-key"),
    });
  });
  it("uses the second address when the first is dead", async () => {
    const { client } = await connectChain({ rpc: ["http://127.0.0.1:1", chain.url], chainId: 31337 });
    expect(await client.getBlockNumber()).toBeGreaterThan(0n);
  });
});
