import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { openWasm } from "@foldmark/machine";
import { toHash } from "@foldmark/protocol";
import { families, type ModelPackage, openPackage } from "@foldmark/workloads";
import { BenchTab, openChromium } from "./browser/chromium.ts";
import { type OpenedModel, openedModel, positions, read, sessionOf, someTokens } from "./browser/page/positions.ts";
import { type Intercept, servePage } from "./browser/servePage.ts";

const ROUNDS = 9;
const POSITION = 32;
const DECODED = 64;

/** Times in ms. `cpu` is of the whole process, `wall` also counts what others on the machine took. */
export type BrowserFigures = {
  chromium: string;
  /** A token at position 32, medians of rounds in turn with Node's; CPU time. */
  decodeMsPerToken: number;
  nodeDecodeMsPerToken: number;
  /** Speed in Chromium over that in Node: the median of the rounds' own ratios. */
  browserOverNode: number;
  decodeWallMsPerToken: number;
  nodeDecodeWallMsPerToken: number;
  /** From an empty storage to an engine, the package served by this machine; and from a stored one without a network. */
  firstVisitMs: number;
  secondVisitMs: number;
  /** SHA-256 of all logits of the measured positions, the same in both. */
  digest: string;
};

/**
 * The engine in Chromium and in Node on one package, in turn. Throws where Chromium is not installed, or computes other
 * bits than Node.
 */
export async function benchBrowser({ packageDir }: { packageDir: string }): Promise<BrowserFigures> {
  const pkg = await openPackage(packageDir, { families });
  await using open = new AsyncDisposableStack();
  const { tab, ...visits } = await visitTwice(pkg, open);
  const engine = open.adopt(await openWasm(pkg.program, pkg.constants), (engine) => engine.close());
  const model = openedModel(engine, pkg);
  const tokens = someTokens(POSITION + DECODED, model.vocabulary);
  const { digest } = positions(model, { tokens, by: "prefill" });
  for (const by of ["decode", "prefill"] as const) {
    const { digest: got } = await tab.ask("positions", { tokens, by });
    if (got !== digest) throw new Error(`By ${by} Chromium computes ${got}, Node ${digest}.`);
  }
  const rounds: { browser: Times; node: Times }[] = [];
  for (let i = 0; i <= ROUNDS; i++)
    rounds.push({ browser: await inChromium(tab, tokens), node: inNode(model, tokens) });
  rounds.shift(); // both warm
  return {
    decodeMsPerToken: median(rounds.map(({ browser }) => browser.cpu)),
    nodeDecodeMsPerToken: median(rounds.map(({ node }) => node.cpu)),
    browserOverNode: median(rounds.map(({ browser, node }) => node.cpu / browser.cpu)),
    decodeWallMsPerToken: median(rounds.map(({ browser }) => browser.wall)),
    nodeDecodeWallMsPerToken: median(rounds.map(({ node }) => node.wall)),
    digest,
    ...visits,
  };
}

type Visits = { tab: BenchTab; chromium: string; firstVisitMs: number; secondVisitMs: number };

/** Opens the package twice, with a new start of Chromium between; the second time its server refuses every file. */
async function visitTwice({ dir, packageHash, assetId }: ModelPackage, open: AsyncDisposableStack): Promise<Visits> {
  let isOffline = false;
  const intercept: Intercept = (_request, response) => {
    if (isOffline) response.writeHead(503).end();
    return isOffline;
  };
  const served = [{ packageHash: toHash(packageHash), folder: dir }];
  const server = open.use(await servePage(served, { intercept }));
  const profile = await mkdtemp(path.join(tmpdir(), "foldmark-profile-"));
  open.defer(() => rm(profile, { recursive: true }));
  const visit = async () => {
    const context = open.adopt(await openChromium(profile), (context) => context.close());
    const tab = await BenchTab.open(context, server.url);
    const { packageMs, engineMs } = await tab.ask("open", { url: `/v1/packages/${packageHash}`, assetId });
    return { context, tab, ms: packageMs + engineMs };
  };
  const first = await visit();
  await first.context.close();
  isOffline = true;
  const { context, tab, ms } = await visit();
  const chromium = context.browser()?.version() ?? "unknown";
  return { tab, chromium, firstVisitMs: first.ms, secondVisitMs: ms };
}

/** Of a token, in ms. */
type Times = { cpu: number; wall: number };

async function inChromium(tab: BenchTab, tokens: readonly number[]): Promise<Times> {
  await tab.ask("prepare", { tokens: tokens.slice(0, POSITION) });
  const before = await tab.cpuMs();
  const { wallMs } = await tab.ask("decode", { tokens: tokens.slice(POSITION) });
  return { cpu: ((await tab.cpuMs()) - before) / DECODED, wall: wallMs / DECODED };
}

function inNode(model: OpenedModel, tokens: readonly number[]): Times {
  const session = sessionOf(model);
  read(model, session, tokens.slice(0, POSITION));
  const [start, before] = [performance.now(), process.cpuUsage()];
  for (const token of tokens.slice(POSITION)) read(model, session, [token]);
  const { user, system } = process.cpuUsage(before);
  const wall = performance.now() - start;
  session.close();
  return { cpu: (user + system) / 1_000 / DECODED, wall: wall / DECODED };
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
