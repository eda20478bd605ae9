import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { BenchTab } from "../../bench/browser/chromium.ts";
import { constantExtents } from "../../packages/workloads/src/packages/constants.ts";
import { benchPage, ELSEWHERE, hasChromium } from "../support/benchPage.ts";

describe.skipIf(!hasChromium)("a package in Chromium's storage", () => {
  const bench = benchPage();
  const tensors = () => readFileSync(path.join(bench.pkg.dir, "tensors.bin"));
  const rangesOfTensors = () => bench.requests.filter(({ file }) => file === "tensors.bin").map(({ range }) => range);
  /** The server gives the first `bytes` of tensors.bin once and refuses after that. */
  const breakAfter = (bytes: number) => {
    let given = 0;
    bench.answer = (file, response) => {
      if (file !== "tensors.bin") return false;
      if (given++ === 0) response.writeHead(200).end(tensors().subarray(0, bytes));
      else response.writeHead(503).end();
      return true;
    };
  };

  it("is opened without a network at the second visit, after Chromium was closed", async () => {
    expect(await bench.tab.ask("open", bench.source)).toMatchObject({ fetchedBytes: bench.pkg.sizeBytes });
    await bench.restart();
    bench.requests = [];
    const { tab } = bench;
    expect(await tab.ask("open", bench.source)).toMatchObject({ fetchedBytes: 0 });
    expect(bench.requests).toEqual([]);
    expect(tab.problems).toEqual([]);
  });

  it("goes on at the byte where a break left it", async () => {
    const { bytes, offset } = constantExtents(bench.pkg.program)[4] as { bytes: number; offset: number };
    const half = offset + (bytes >> 1);
    breakAfter(half);
    const { tab } = bench;
    await expect(tab.ask("open", bench.source)).rejects.toMatchObject({ code: "download.failed" });
    const verified = (await tab.progress()).at(-1);
    expect(verified).toBe(bench.pkg.sizeBytes - tensors().length + offset);
    bench.answer = () => false;
    bench.requests = [];
    expect(await tab.ask("open", bench.source)).toMatchObject({ fetchedBytes: tensors().length - half });
    expect(bench.requests).toEqual([{ file: "tensors.bin", range: `bytes=${half}-` }]);
  });

  it("is given up when nobody waits for it any more, and goes on later", async () => {
    const stalled = Promise.withResolvers<void>();
    bench.answer = (file, response) => {
      if (file !== "tensors.bin") return false;
      response.writeHead(200).write(tensors().subarray(0, 5_000));
      stalled.resolve();
      return true;
    };
    const { tab } = bench;
    const opening = tab.ask("open", bench.source);
    const refused = expect(opening).rejects.toThrow("aborted");
    await stalled.promise;
    await tab.ask("stop", null);
    await refused;
    bench.answer = () => false;
    await tab.ask("open", bench.source);
    expect(tab.problems).toEqual([]);
  });

  it("is brought by a server that knows no ranges", async () => {
    breakAfter(5_000);
    const { tab } = bench;
    await expect(tab.ask("open", bench.source)).rejects.toMatchObject({ code: "download.failed" });
    bench.answer = (file, response) => {
      if (file === "tensors.bin") response.writeHead(200).end(tensors());
      return file === "tensors.bin";
    };
    await tab.ask("open", bench.source);
  });

  it("is fetched again where it was damaged, and nowhere else", async () => {
    const { tab } = bench;
    await tab.ask("open", bench.source);
    await tab.ask("close", null);
    const { bytes, offset } = constantExtents(bench.pkg.program)[6] as { bytes: number; offset: number };
    await damage(tab, { file: "tensors.bin", at: offset + bytes - 1 });
    await damage(tab, { file: "tokenizer.json", at: 20 });
    await damage(tab, { file: "manifest.json", at: 20 });
    bench.requests = [];
    await tab.ask("open", bench.source);
    expect(bench.requests).toEqual([
      { file: "manifest.json", range: "bytes=0-" },
      { file: "tokenizer.json", range: expect.stringMatching(/^bytes=0-\d+$/) },
      { file: "tensors.bin", range: `bytes=${offset}-${offset + bytes - 1}` },
    ]);
    await tab.ask("close", null);
    bench.requests = [];
    await tab.ask("open", bench.source);
    expect(bench.requests).toEqual([]);
  });

  it("refuses a leaf that its server changed, and takes the right one later", async () => {
    const { bytes, offset } = constantExtents(bench.pkg.program)[3] as { bytes: number; offset: number };
    bench.answer = (file, response) => {
      if (file !== "tensors.bin") return false;
      const changed = tensors();
      changed[offset + bytes - 1] = (changed[offset + bytes - 1] ?? 0) ^ 1;
      response.writeHead(200).end(changed);
      return true;
    };
    const { tab } = bench;
    await expect(tab.ask("open", bench.source)).rejects.toMatchObject({
      code: "package.hash",
      details: { what: "the root of constant 3", expected: bench.pkg.manifest.tensorRoots[3] },
    });
    bench.answer = () => false;
    await tab.ask("open", bench.source);
    expect(tab.problems).toEqual([]);
  });

  it.each([
    { lie: "another asset's manifest", file: "manifest.json", code: "package.asset_mismatch" },
    { lie: "another tokenizer", file: "tokenizer.json", code: "package.hash" },
    { lie: "a program cut short", file: "program.bin", code: "download.failed" },
    { lie: "a manifest without an end", file: "manifest.json", code: "download.failed" },
  ])("refuses $lie", async ({ lie, file, code }) => {
    const right = readFileSync(path.join(bench.pkg.dir, file));
    const lies: Record<string, () => string | Buffer> = {
      "another asset's manifest": () => right.toString().replace('"name":"tiny"', '"name":"tinier"'),
      "another tokenizer": () => right.toString().replace("a", "b"),
      "a program cut short": () => right.subarray(0, -1),
      "a manifest without an end": () => Buffer.alloc((8 << 20) + 1),
    };
    bench.answer = (asked, response) => {
      if (asked === file) response.writeHead(200).end(lies[lie]?.());
      return asked === file;
    };
    const { tab } = bench;
    await expect(tab.ask("open", bench.source)).rejects.toMatchObject({ code });
    bench.answer = () => false;
    await tab.ask("open", bench.source);
  });

  it("is used by one tab at a time", async () => {
    const [one, other] = [bench.tab, await BenchTab.open(bench.context, bench.server.url)];
    await one.ask("open", bench.source);
    await expect(other.ask("open", bench.source)).rejects.toMatchObject({ code: "browser.in_use" });
    await expect(other.ask("remove", null)).rejects.toMatchObject({ code: "browser.in_use" });
    await one.ask("close", null);
    await other.ask("open", bench.source);
  });

  it("says before the download that there is no room", async () => {
    const { tab } = bench;
    const session = await bench.context.newCDPSession(tab.page);
    const origin = new URL(bench.server.url).origin;
    await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 20_000 });
    await expect(tab.ask("open", bench.source)).rejects.toMatchObject({
      code: "browser.storage_full",
      details: { neededBytes: expect.any(Number) },
    });
    expect(rangesOfTensors()).toEqual([]);
    await session.send("Storage.overrideQuotaForOrigin", { origin });
    await tab.ask("open", bench.source);
  });

  it("ends a download that fills the storage, and goes on when there is room", async () => {
    const { tab } = bench;
    const session = await bench.context.newCDPSession(tab.page);
    const origin = new URL(bench.server.url).origin;
    bench.answer = (file, response) => {
      if (file !== "tensors.bin") return false;
      void session
        .send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 20_000 })
        .then(() => response.writeHead(200).end(tensors()));
      return true;
    };
    await expect(tab.ask("open", bench.source)).rejects.toMatchObject({ code: "browser.storage_full" });
    await session.send("Storage.overrideQuotaForOrigin", { origin });
    bench.answer = () => false;
    await tab.ask("open", bench.source);
  });

  it("says that a page over plain http from elsewhere may store nothing", async () => {
    const { port } = new URL(bench.server.url);
    const tab = await BenchTab.open(bench.context, `http://${ELSEWHERE}:${port}/`);
    await expect(tab.ask("open", bench.source)).rejects.toMatchObject({ code: "browser.no_storage" });
    expect(bench.requests).toEqual([]);
  });

  it.skipIf(process.arch !== "x64")("says that a processor without SIMD cannot run the engine", async () => {
    await bench.restart(["--js-flags=--no-enable-ssse3"]);
    await expect(bench.tab.ask("open", bench.source)).rejects.toMatchObject({ code: "browser.no_simd" });
    expect(bench.requests).toEqual([]);
  });
});

/** Changes one bit of a stored file, by the page's own access to its storage. */
async function damage(
  { page }: { page: { evaluate(script: string): Promise<unknown> } },
  where: Damage,
): Promise<void> {
  await page.evaluate(`(async ({ file, at }) => {
    const packages = await (await navigator.storage.getDirectory()).getDirectoryHandle("foldmark-packages");
    for await (const folder of packages.values()) {
      const handle = await folder.getFileHandle(file);
      const bytes = new Uint8Array(await (await handle.getFile()).slice(at, at + 1).arrayBuffer());
      const stream = await handle.createWritable({ keepExistingData: true });
      await stream.write({ type: "write", position: at, data: Uint8Array.of(bytes[0] ^ 1) });
      await stream.close();
    }
  })(${JSON.stringify(where)})`);
}
type Damage = { file: string; at: number };
