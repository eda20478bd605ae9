import { getAddress, zeroHash } from "viem";
import { beforeEach, describe, expect, it } from "vitest";
import { aRegistration, assetIdOf, commitmentOf, openMarket } from "../support/market.ts";
import { revertOf } from "../support/revertOf.ts";

describe("model registry", () => {
  let market: Awaited<ReturnType<typeof openMarket>>;
  beforeEach(async () => {
    market = await openMarket();
  });

  it("computes the model id of the machine's known answer", async () => {
    const assetId = await market.registerModel(market.author, aRegistration());
    expect(await market.models.read.modelIdOf([assetId])).toBe(
      "0x8bf5f7d50861c528a592cbedc3b48537e7ecfd3e3fabb85708d970fe19e5dd9f",
    );
    expect(await market.models.read.ownerOf([assetId])).toBe(getAddress(market.author.account.address));
  });

  it("tells an indexer everything in one event", async () => {
    const registration = aRegistration();
    const { models, client } = market;
    const assetId = await market.registerModel(market.author, registration);
    const { registeredAtBlock } = await models.read.assetOf([assetId]);
    const [event] = await models.getEvents.AssetRegistered(
      { assetId },
      { fromBlock: registeredAtBlock, toBlock: registeredAtBlock },
    );
    expect(event?.args).toMatchObject({ assetId, owner: getAddress(market.author.account.address), registration });
    expect(await client.getBlockNumber()).toBe(registeredAtBlock);
  });

  it("is not registered by whoever copies the transaction", async () => {
    const { models, author, stranger } = market;
    const registration = aRegistration();
    const assetId = assetIdOf(registration);
    await models.write.commit([commitmentOf(assetId, author.account.address, zeroHash)]);
    const stolen = models.write.register([registration], { account: stranger.account });
    expect(await revertOf(stolen)).toEqual({
      name: "NotCommitted",
      args: [commitmentOf(assetId, stranger.account.address, zeroHash)],
    });
  });

  it("resolves an alias at any block", async () => {
    const { models, author, client } = market;
    const first = await market.registerModel(author, aRegistration());
    const second = await market.registerModel(author, { ...aRegistration(), packageHash: zeroHash });
    await models.write.claimAlias(["chat-small", first], { account: author.account });
    const claimedAt = await client.getBlockNumber();
    await models.write.pointAlias(["chat-small", second], { account: author.account });
    expect(await models.read.aliasAt(["chat-small", claimedAt - 1n])).toBe(0n);
    expect(await models.read.aliasAt(["chat-small", claimedAt])).toBe(first);
    expect(await models.read.aliasAt(["chat-small", claimedAt + 1n])).toBe(second);
  });
});
