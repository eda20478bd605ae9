import { readdirSync, statSync } from "node:fs";
import path from "node:path";
import { expect, it } from "vitest";
import { buildPage } from "../../bench/browser/servePage.ts";
import { aFolder } from "../../packages/node/test/aFolder.ts";

it("engine and packages need nothing of Node: their bundle would not be made", async () => {
  const folder = path.join(aFolder(), "page");
  await buildPage(folder);
  const assets = readdirSync(path.join(folder, "assets"));
  const worker = assets.find((name) => name.startsWith("worker"));
  expect(statSync(path.join(folder, "assets", worker ?? "")).size).toBeGreaterThan(100_000);
});
