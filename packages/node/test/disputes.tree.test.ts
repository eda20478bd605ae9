import { createServer, type Server } from "node:http";
import { rootPosition } from "@foldmark/machine";
import { createLogger, listen } from "@foldmark/service";
import express from "express";
import { type Hex, numberToHex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { descend } from "../src/disputes/game/descent.ts";
import { placeOf } from "../src/disputes/game/place.ts";
import { isSame, RevealedTree } from "../src/disputes/game/revealedTree.ts";
import type { DisputeTrace } from "../src/disputes/traces/disputeTrace.ts";
import { ACCESS_HEADER, signAccess } from "../src/disputes/tree/treeAccess.ts";
import { treeClient } from "../src/disputes/tree/treeClient.ts";
import { treeRoute } from "../src/disputes/tree/treeRoute.ts";
import type { OpenedModel } from "../src/engine/openModel.ts";
import { errorHandler, notFound } from "../src/serving/errorHandler.ts";
import { aFalseJob, forgedTrace, traceOf } from "./disputeBench.ts";

const NOW = 1_000_000n;
const ID = numberToHex(7, { size: 32 });
const DIGEST = numberToHex(8, { size: 32 });
/** Challenges of the same answer. */
const IDS = [ID, numberToHex(9, { size: 32 }), numberToHex(10, { size: 32 })];
const challenger = privateKeyToAccount(`0x${"0f".repeat(32)}`);
const stranger = privateKeyToAccount(`0x${"1f".repeat(32)}`);
const job = aFalseJob();
const { program } = job;
const { T } = job.job;
const top = rootPosition(program);

let server: Server;
let url: string;
/** Resolves when a trace may be read: a test can hold questions back. */
let gate: Promise<void> = Promise.resolve();
const theirs: DisputeTrace = traceOf(job, forgedTrace(job));

beforeAll(async () => {
  const app = express();
  const challenge = {
    id: ID,
    answerDigest: DIGEST,
    challenger: challenger.address,
    statementId: ID,
    channelId: ID,
    block: 1n,
  };
  app.use(
    treeRoute({
      disputes: {
        challenge: (id) => (IDS.includes(id) ? { ...challenge, id, model: { program } as OpenedModel } : undefined),
        traceOf: async () => {
          await gate;
          return theirs;
        },
      },
      now: () => NOW,
    }),
  );
  app.use(notFound);
  app.use(
    errorHandler({
      log: createLogger({ name: "node", level: "silent" }),
      watch: { refused() {}, accepted: () => ({ tokens() {}, ended() {} }) },
    }),
  );
  server = createServer(app);
  ({ url } = await listen(server, { host: "127.0.0.1", port: 0 }));
});
afterAll(() => {
  server?.closeAllConnections();
  server?.close();
});

type Ask = { path?: string; digest?: Hex; header?: string | undefined; body?: unknown };

const access = (of: { id?: Hex; until?: bigint } = {}, signer = challenger) =>
  signAccess(signer, { id: ID, until: NOW + 60n, ...of });
const places = (...of: object[]) => ({ places: of.map((each) => ({ ...placeOf(top), depth: 1, ...each })) });

async function ask({ path = "nodes", digest = DIGEST, header, body = places({}) }: Ask) {
  const response = await fetch(`${url}/v1/disputes/${digest}/${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(header === undefined ? {} : { [ACCESS_HEADER]: header }) },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as { error?: { code: string }; nodes?: string[][] } };
}

describe("a node's tree", () => {
  it("is shown to the challenger, from the root to the false leaf", async () => {
    const own = traceOf(job, job.honest);
    const tree = new RevealedTree({ program, T, root: theirs.root });
    const client = treeClient({
      endpoint: url,
      id: ID,
      answerDigest: DIGEST,
      signer: challenger,
      now: async () => NOW,
    });
    for (let asked = 0; asked < 10; asked++) {
      const descent = await descend({ program, own, theirs: tree });
      if (descent.found === "leaf") break;
      const { position } = descent;
      if (position.list === "leaves" && position.height === 0)
        expect(tree.addLeaf(await client.leaf(position))).toBe(true);
      else expect(tree.add(await client.nodes(position))).toBe(true);
    }
    const found = await descend({ program, own, theirs: tree });
    expect(found).toMatchObject({ found: "leaf", leaf: { position: { stage: program.stages.length - 1 } } });
  });

  it.each([
    { behaviour: "to nobody who does not say who it is", header: async () => undefined, status: 401 },
    {
      behaviour: "to nobody whose signature is none",
      header: async () => `${ID}.${NOW}.0x${"11".repeat(65)}`,
      status: 401,
    },
    { behaviour: "to nobody but the challenger", header: () => access({}, stranger), status: 403 },
    { behaviour: "not by an old signature", header: () => access({ until: NOW - 1n }), status: 403 },
    { behaviour: "not by a signature for ever", header: () => access({ until: NOW + 3_601n }), status: 403 },
    { behaviour: "not of a dispute that is not open", header: () => access({ id: DIGEST }), status: 404 },
  ])("is shown $behaviour", async ({ header, status }) => {
    expect((await ask({ header: await header() })).status).toBe(status);
  });

  it("is not shown of another answer than the challenged one", async () => {
    expect((await ask({ header: await access(), digest: ID })).status).toBe(404);
  });

  it.each([
    { wrong: "no places", body: {} },
    { wrong: "an unknown field", body: { ...places({}), more: 1 } },
    { wrong: "more places than are answered at once", body: places(...Array.from({ length: 9 }, () => ({}))) },
    { wrong: "more levels than are answered at once", body: places({ depth: 9 }) },
    { wrong: "more levels than lie below", body: places({ depth: top.height + 1 }) },
    { wrong: "a stage that is not there", body: places({ list: "leaves", stage: 99 }) },
    { wrong: "steps of a stage that is no loop", body: places({ list: "steps", stage: 0 }) },
    { wrong: "a step that is not there", body: places({ list: "folds", stage: 3, t: T }) },
    { wrong: "a fold that is not there", body: places({ list: "leaves", stage: 3, t: 0, fold: 2 }) },
    { wrong: "a node that is not there", body: places({ index: 1 }) },
    { wrong: "a height that is not there", body: places({ height: top.height + 1 }) },
    { wrong: "a negative number", body: places({ index: -1 }) },
    { wrong: "half a number", body: places({ index: 0.5 }) },
  ])("answers $wrong with what is wrong", async ({ body }) => {
    expect(await ask({ header: await access(), body })).toMatchObject({
      ...{ status: 400, body: { error: { code: "request.invalid" } } },
    });
  });

  it("shows no node as a leaf", async () => {
    expect((await ask({ header: await access(), path: "leaf", body: { place: placeOf(top) } })).status).toBe(400);
  });

  it("answers a challenger no more than two questions at a time", async () => {
    const held = Promise.withResolvers<void>();
    gate = held.promise;
    const header = await access();
    const asked = [ask({ header }), ask({ header }), ask({ header })];
    const first = await Promise.race(asked);
    expect(first).toMatchObject({ status: 429, body: { error: { code: "node.busy" } } });
    held.resolve();
    const statuses = (await Promise.all(asked)).map(({ status }) => status).sort();
    expect(statuses).toEqual([200, 200, 429]);
    expect((await ask({ header })).status).toBe(200);
  });
});

describe("the trees of a node", () => {
  it("are asked for no more than four times at once, whatever the number of challenges", async () => {
    const held = Promise.withResolvers<void>();
    gate = held.promise;
    const headers = await Promise.all(IDS.map((id) => access({ id })));
    const asked = headers.flatMap((header) => [ask({ header }), ask({ header })]);
    const busy = new Set<number>();
    for (const [at, each] of asked.entries()) void each.then(({ status }) => status === 429 && busy.add(at));
    await expect.poll(() => busy.size).toBe(2);
    held.resolve();
    expect((await Promise.all(asked)).map(({ status }) => status).sort()).toEqual([200, 200, 200, 200, 429, 429]);
    for (const header of headers) expect((await ask({ header })).status).toBe(200);
  });
});

describe("RevealedTree", () => {
  it("takes nothing in that does not hash to its root", async () => {
    const tree = new RevealedTree({ program, T, root: theirs.root });
    const nodes = await theirs.nodes(top, 2);
    const changed = nodes.map((node, i) => (i === 1 ? node.map((byte) => byte ^ 1) : node));
    expect(tree.add({ position: top, depth: 2, nodes: changed })).toBe(false);
    expect(tree.add({ position: top, depth: 2, nodes: nodes.slice(1) })).toBe(false);
    expect(tree.add({ position: top, depth: top.height + 1, nodes })).toBe(false);
    expect(tree.under(top)).toBeUndefined();
    expect(tree.add({ position: top, depth: 2, nodes })).toBe(true);
    expect(isSame(tree.node({ ...top, height: top.height - 2, index: 1 }), nodes[1])).toBe(true);
    expect(tree.addLeaf({ position: top, data: new Uint8Array(1) })).toBe(false);
  });
});
