import { readFileSync } from "node:fs";
import { beforeAll, describe, expect, it } from "vitest";
import { gasOfChannels } from "../support/gasOfChannels.ts";
import { gasOfCourt } from "../support/gasOfCourt.ts";
import { gasOfRegistries } from "../support/gasOfRegistries.ts";
import { isProductionBuild } from "../support/productionBuild.ts";

const read = (file: string) => readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");

describe("gas of whole transactions", () => {
  let isProduction: boolean;
  let tables: Record<string, Record<string, number>>;
  beforeAll(async () => {
    isProduction = await isProductionBuild();
    const registries = await gasOfRegistries();
    const channels = await gasOfChannels();
    const court = await gasOfCourt();
    tables = {
      PaymentChannels: channels,
      Court: court,
      ModelRegistry: registries.models,
      ProviderRegistry: registries.providers,
    };
  });

  // docs/gas.md says where the bars come from
  it.each([
    { call: "redeem: 1", most: 65_000 },
    { call: "redeem: 10, each", most: 22_100 },
    { call: "redeem: 50, each", most: 18_300 },
  ])("of $call is at most $most", ({ call, most }) => {
    expect(tables.PaymentChannels?.[call]).toBeLessThanOrEqual(most);
  });

  // after a change that is meant: hardhat build --build-profile production --no-tests, then this file with -u
  it("on the deployed bytecode is what is committed", async ({ skip }) => {
    if (!isProduction) skip("these artifacts are not a production build");
    await expect(`${JSON.stringify(tables, null, 2)}\n`).toMatchFileSnapshot("../../snapshots/production/gas.json");
  });
});

describe("docs/gas.md", () => {
  const production = JSON.parse(read("snapshots/production/gas.json"));
  const rows = [...read("docs/gas.md").matchAll(/^\| `(\w+)` ([^|]+?) \| ([\d,]+) \| ([\d,]+) \|/gm)].map(
    ([, contract = "", call = "", optimizer = "", viaIr = ""]) => ({ contract, call, optimizer, viaIr }),
  );
  const figure = (text: string) => Number(text.replaceAll(",", ""));

  it.each(Object.keys(production))("has every call to %s, with the figures that are committed", (contract) => {
    const optimizer = JSON.parse(read(`snapshots/${contract}.json`));
    const own = rows.filter((row) => row.contract === contract);
    expect(Object.fromEntries(own.map(({ call, viaIr }) => [call, figure(viaIr)]))).toEqual(production[contract]);
    expect(Object.fromEntries(own.map((row) => [row.call, figure(row.optimizer)]))).toEqual(
      Object.fromEntries(Object.entries(optimizer).map(([call, gas]) => [call, Number(gas)])),
    );
  });
});
