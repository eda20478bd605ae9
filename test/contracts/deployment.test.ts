import { getAddress } from "viem";
import { beforeAll, describe, expect, it } from "vitest";
import { openMarket, TUSD } from "../support/market.ts";

describe("the deployment", () => {
  let market: Awaited<ReturnType<typeof openMarket>>;
  beforeAll(async () => {
    market = await openMarket();
  });

  it("wires the contracts to one another", async () => {
    const { channels, providers, models, token, court, referee } = market;
    expect(await channels.read.token()).toBe(getAddress(token.address));
    expect(await channels.read.models()).toBe(getAddress(models.address));
    expect(await providers.read.accounts()).toBe(getAddress(channels.address));
    expect(await providers.read.models()).toBe(getAddress(models.address));
    expect(await channels.read.court()).toBe(getAddress(court.address));
    expect(await court.read.channels()).toBe(getAddress(channels.address));
    expect(await court.read.token()).toBe(getAddress(token.address));
    expect(await court.read.referee()).toBe(getAddress(referee.address));
    expect(await court.read.MACHINE_VERSION()).toBe(1);
  });

  it("has a local demo's periods and penalty by default", async () => {
    const { read } = market.channels;
    const values = [read.WINDOW(), read.CLOCKS(), read.HOLD(), read.NOTICE(), read.PENALTY()];
    expect(await Promise.all(values)).toEqual([600n, 600n, 1_200n, 600n, 10n * TUSD]);
    const court = market.court.read;
    const clocks = [court.BOND(), court.PAYEE_CLOCK(), court.CHALLENGER_CLOCK(), court.SLOT_STEP(), court.FLOOR()];
    expect(await Promise.all(clocks)).toEqual([2n * TUSD, 300n, 300n, 15n, 60n]);
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
