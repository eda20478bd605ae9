// The bench page in a real Chromium, with a tiny package that a test may let arrive broken.
import type { ServerResponse } from "node:http";
import path from "node:path";
import { toHash } from "@foldmark/protocol";
import { families, type ModelPackage, openPackage } from "@foldmark/workloads";
import type { BrowserContext } from "playwright-core";
import { afterAll, beforeAll, beforeEach } from "vitest";
import { BenchTab, chromiumPath, openChromium } from "../../bench/browser/chromium.ts";
import type { Asks } from "../../bench/browser/page/requests.ts";
import { type PageServer, servePage } from "../../bench/browser/servePage.ts";
import { aFolder } from "../../packages/node/test/aFolder.ts";
import { tinyChatPackage } from "../../packages/node/test/tinyPackage.ts";

export const hasChromium = chromiumPath() !== undefined;
if (!hasChromium && process.env.CI) throw new Error("Chromium is not installed");

export type BenchPageTest = {
  pkg: ModelPackage;
  server: PageServer;
  context: BrowserContext;
  /** The page, loaded anew for each test, with an empty storage. */
  tab: BenchTab;
  /** What it is asked to open: the tiny package. */
  source: Asks["open"]["asked"];
  /** Files that were asked for since the test began, with their ranges. */
  requests: { file: string; range: string | undefined }[];
  /** Answers a request for a file, until the test ends; false leaves it to the server. */
  answer(file: string, response: ServerResponse): boolean;
  /** Starts Chromium again on the same storage, and loads the page. */
  restart(args?: string[]): Promise<void>;
};

/** A name that is no localhost: a page from there has no storage. */
export const ELSEWHERE = "model.test";

/** One Chromium and one server for the tests of a file. */
export function benchPage(): BenchPageTest {
  const profile = aFolder();
  const start = (args: string[] = []) =>
    openChromium(profile, { args: [`--host-resolver-rules=MAP ${ELSEWHERE} 127.0.0.1`, ...args] });
  const bench = {
    async restart(args) {
      await bench.context.close();
      bench.context = await start(args);
      bench.tab = await BenchTab.open(bench.context, bench.server.url);
    },
  } as BenchPageTest;

  beforeAll(async () => {
    bench.pkg = await openPackage((await tinyChatPackage({ maxT: 128 })).folder, { families });
    const { packageHash, assetId, dir } = bench.pkg;
    bench.source = { url: `/v1/packages/${packageHash}`, assetId };
    bench.server = await servePage([{ packageHash: toHash(packageHash), folder: dir }], {
      hosts: [ELSEWHERE],
      intercept(request, response) {
        const file = path.basename(request.url ?? "");
        bench.requests.push({ file, range: request.headers.range });
        return bench.answer(file, response);
      },
    });
    bench.context = await start();
  });
  beforeEach(async () => {
    bench.answer = () => false;
    for (const page of bench.context.pages().slice(1)) await page.close(); // without any tab Chromium would end
    bench.tab = await BenchTab.open(bench.context, bench.server.url);
    await bench.tab.ask("remove", null);
    bench.requests = [];
  });
  afterAll(async () => {
    await bench.context?.close();
    await bench.server?.[Symbol.asyncDispose]();
  });
  return bench;
}
