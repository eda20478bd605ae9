import { type Engine, openWasm } from "@foldmark/machine";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { BenchTab } from "../../bench/browser/chromium.ts";
import { answer, checkAnswer } from "../../bench/browser/page/answers.ts";
import { type OpenedModel, openedModel, positions, someTokens } from "../../bench/browser/page/positions.ts";
import { benchPage, hasChromium } from "../support/benchPage.ts";

describe.skipIf(!hasChromium)("the engine in Chromium", () => {
  const bench = benchPage();
  let engine: Engine;
  let inNode: OpenedModel;
  beforeAll(async () => {
    engine = await openWasm(bench.pkg.program, bench.pkg.constants);
    inNode = openedModel(engine, bench.pkg);
  });
  afterAll(() => engine?.close());

  it("gives the bits of Node's at 96 positions, by decode and by prefill, under the page's policy", async () => {
    const { tab } = bench;
    const { vocabulary } = await tab.ask("open", bench.source);
    const tokens = someTokens(96, vocabulary);
    for (const by of ["decode", "prefill"] as const) {
      const expected = positions(inNode, { tokens, by });
      expect(expected.samples.length).toBe(96);
      expect(await tab.ask("positions", { tokens, by }), by).toEqual(expected);
    }
    expect(tab.problems).toEqual([]);
  });

  it("gives the same bits on two threads", async () => {
    const { tab } = bench;
    await tab.ask("open", { ...bench.source, threads: 2 });
    const tokens = someTokens(96, inNode.vocabulary);
    for (const by of ["decode", "prefill"] as const)
      expect(await tab.ask("positions", { tokens, by }), by).toEqual(positions(inNode, { tokens, by }));
    expect(tab.problems).toEqual([]);
  });

  it("renders, samples and checks as Node does, and names the same lie", async () => {
    const { tab, pkg } = bench;
    await tab.ask("open", bench.source);
    const order = {
      messages: [{ role: "user", content: "7 * 8 - 9 =" }],
      ...{ limit: 40, seed: 2n ** 64n - 5n, temperature: 0.8, minP: 0.05 },
    };
    const chat = { model: inNode, pkg };
    const tokens = answer(chat, order);
    expect(await tab.ask("answer", order)).toEqual(tokens);
    expect(await tab.ask("check", { order, tokens })).toEqual({ equal: true });
    const lie = tokens.with(21, ((tokens[21] ?? 0) + 1) % inNode.vocabulary);
    const verdict = checkAnswer(chat, { order, tokens: lie });
    expect(verdict).toMatchObject({ equal: false, rule: "token" });
    expect(await tab.ask("check", { order, tokens: lie })).toEqual(verdict);
    expect(tab.problems).toEqual([]);
  });

  it("is measured by the page itself", async () => {
    const { packageHash, assetId } = bench.pkg;
    const url = `${bench.server.url}?package=${packageHash}&asset=${assetId}`;
    const tab = await BenchTab.open(bench.context, url);
    await tab.page.getByRole("status").getByText("done").waitFor();
    const shown = JSON.parse((await tab.page.locator("pre").textContent()) ?? "");
    const tokens = someTokens(96, inNode.vocabulary);
    expect(shown).toMatchObject(positions(inNode, { tokens, by: "prefill" }));
    expect(shown.tokensPerSecond).toBeGreaterThan(0);
    expect(tab.problems).toEqual([]);
  });
});
