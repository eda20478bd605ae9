import { getAddress } from "viem";
import { beforeAll, describe, expect, it } from "vitest";
import { aRegistration, openMarket } from "../support/market.ts";
import { revertOf } from "../support/revertOf.ts";

const hardware = {
  kind: 1,
  device: "AMD EPYC",
  memoryBytes: 8n << 30n,
  decodeMilliTokensPerSecond: 25_500,
  measuredAt: 1_700_000_000n,
};
const offer = { priceIn: 100_000n, priceOut: 400_000n, priceUnit: 0n, assurance: 0, mode: 0, capacity: 8 };

describe("provider registry", () => {
  let market: Awaited<ReturnType<typeof openMarket>>;
  let model: bigint;
  beforeAll(async () => {
    market = await openMarket();
    model = await market.registerModel(market.author, aRegistration());
  });

  it("keeps what a provider says, in events and in pages", async () => {
    const { providers, payee } = market;
    const provider = getAddress(payee.account.address);
    await providers.write.register(["http://127.0.0.1:8420", hardware], { account: payee.account });
    const [registered] = await providers.getEvents.ProviderRegistered();
    expect(registered?.args).toEqual({ provider, endpoint: "http://127.0.0.1:8420", hardware });

    await providers.write.setOffer([provider, model, offer], { account: payee.account });
    const [set] = await providers.getEvents.OfferSet();
    expect(set?.args).toEqual({ provider, model, offer });
    expect(await providers.read.offers([model, 0n, 10n])).toEqual([{ provider, offer }]);
    expect(await providers.read.providers([0n, 10n])).toMatchObject([{ account: provider, paused: false, hardware }]);
  });

  it("refuses a stranger and an unknown model with the values", async () => {
    const { providers, payee, stranger } = market;
    const provider = payee.account.address;
    const byStranger = providers.write.setOffer([provider, model, offer], { account: stranger.account });
    expect(await revertOf(byStranger)).toEqual({ name: "NotAllowed", args: [getAddress(stranger.account.address)] });
    const unknown = providers.write.setOffer([provider, 42n, offer], { account: payee.account });
    expect(await revertOf(unknown)).toEqual({ name: "UnknownModel", args: [42n] });
  });
});
