import { getAddress } from "viem";
import { beforeAll, describe, expect, it } from "vitest";
import { openMarket, TUSD } from "../support/market.ts";

describe("the deployment", () => {
  let market: Awaited<ReturnType<typeof openMarket>>;
  beforeAll(async () => {
    market = await openMarket();
  });

  it("wires the contracts to one another", async () => {
    const { channels, providers, models, token } = market;
    expect(await channels.read.token()).toBe(getAddress(token.address));
    expect(await channels.read.models()).toBe(getAddress(models.address));
    expect(await providers.read.accounts()).toBe(getAddress(channels.address));
    expect(await providers.read.models()).toBe(getAddress(models.address));
  });

  it("has a local demo's periods and penalty by default", async () => {
    const { read } = market.channels;
    const values = [read.WINDOW(), read.CLOCKS(), read.HOLD(), read.NOTICE(), read.PENALTY()];
    expect(await Promise.all(values)).toEqual([600n, 600n, 1_200n, 600n, 10n * TUSD]);
  });

  it("gives the test dollar six decimals and the domain that x402 clients look up", async () => {
    const { token, domain } = market;
    expect(await token.read.decimals()).toBe(6);
    const [, name, version, chainId] = await token.read.eip712Domain();
    expect({ name, version, chainId: Number(chainId) }).toEqual({
      name: await token.read.name(),
      version: await token.read.version(),
      chainId: domain.chainId,
    });
  });
});
