import { existsSync } from "node:fs";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import type { Answer, Ask, Asks, BenchPage, Failure } from "./page/requests.ts";

/** The system's Chromium, or the one that CHROMIUM names; undefined where there is none. */
export const chromiumPath = (): string | undefined =>
  [process.env.CHROMIUM, "/usr/bin/chromium"].find((file) => file !== undefined && existsSync(file));

const QUIET = [
  "--no-first-run",
  "--disable-quic",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Chromium without a window. What its origins store is in the folder `profile`, and outlives it. */
export async function openChromium(profile: string, { args = [] as string[] } = {}): Promise<BrowserContext> {
  const executablePath = chromiumPath();
  if (!executablePath) throw new Error("Chromium is not installed (or CHROMIUM names no file).");
  // its sandbox does not start as root, where CI runs; it only loads our own page
  return chromium.launchPersistentContext(profile, {
    ...{ executablePath, chromiumSandbox: false, headless: true },
    args: [...QUIET, ...args],
  });
}

// the page's own, for functions that run in it
declare const bench: BenchPage;

/** The bench page in a tab. */
export class BenchTab {
  readonly page: Page;
  /** What must not happen in a page: errors, and breaches of its policy, which Chromium reports as errors. */
  readonly problems: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.on("pageerror", (error) => this.problems.push(error.message));
    page.on("console", (message) => {
      if (message.type() === "error") this.problems.push(message.text());
    });
  }

  static async open(context: BrowserContext, url: string): Promise<BenchTab> {
    const tab = new BenchTab(await context.newPage());
    await tab.page.goto(url);
    return tab;
  }

  /** What the worker answers. Throws an error with its `code` and `details`. */
  async ask<A extends Ask>(ask: A, of: Asks[A]["asked"]): Promise<Asks[A]["answer"]> {
    const answer = (await this.page.evaluate((asked) => bench.ask(asked as never), { ask, of })) as Answer<A>;
    if ("value" in answer) return answer.value;
    throw Object.assign(new Error(answer.error.message), answer.error satisfies Failure);
  }

  /** Verified bytes as they were reported since the page was loaded. */
  progress(): Promise<number[]> {
    return this.page.evaluate(() => bench.progress);
  }

  /** CPU time of the tab's process, in ms. */
  async cpuMs(): Promise<number> {
    const session = await this.page.context().newCDPSession(this.page);
    await session.send("Performance.enable");
    const { metrics } = await session.send("Performance.getMetrics");
    await session.detach();
    const time = metrics.find(({ name }) => name === "ProcessTime");
    if (!time) throw new Error("Chromium does not say how much time its process took");
    return time.value * 1_000;
  }
}
