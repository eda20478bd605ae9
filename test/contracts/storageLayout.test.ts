import { describe, expect, it } from "vitest";
import { storageLayouts } from "../support/storageLayout.ts";

const names = ["PaymentChannels", "Court", "ModelRegistry", "ProviderRegistry"];

describe("storage layout", () => {
  const layouts = storageLayouts(names);

  // after a change that is meant: vitest run test/contracts/storageLayout.test.ts -u
  it.each(names)("of %s is the committed one", async (name) => {
    await expect(layouts[name]).toMatchFileSnapshot(`../../snapshots/storage/${name}.txt`);
  });

  it.each(["Balance", "Exit", "Income", "Stake"])("of %s is one slot", (struct) => {
    const members = layouts.PaymentChannels?.match(new RegExp(`^struct ${struct}\\n((?: {2}.*\\n)+)`, "m"))?.[1];
    const slots = members?.match(/^ {2}\d+/gm);
    expect(new Set(slots)).toEqual(new Set(["  0"]));
  });
});
