import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { leavesPosition } from "@foldmark/machine";
import { buildTrace, openModel, WorkerEngine } from "@foldmark/node";
import { createLogger } from "@foldmark/service";
import { families, llamaRequest, openPackage, tokensOf } from "@foldmark/workloads";
import { describe, expect, it } from "vitest";
import { tinyChatPackage } from "../../packages/node/test/tinyPackage.ts";
import { openForgedTrace } from "./forgedTrace.ts";
import { hideTree } from "./hiddenTree.ts";
import { lyingEngine } from "./lyingEngine.ts";

const PROMPT = [7, 33, 12];
const LIMIT = 12;
const AT = 3;

describe("openForgedTrace", () => {
  it("contradicts the lie nowhere but in what the model samples", async () => {
    const { folder, configuration } = await tinyChatPackage();
    const model = await openModel(folder);
    const log = createLogger({ name: "test", level: "error" });
    const engine = lyingEngine(await WorkerEngine.open({ models: [model] }, { log }), { at: AT });
    const order = { prompt: PROMPT, limit: LIMIT, temperature: 0.8, minP: 0, seed: 5n };
    const request = llamaRequest(order, configuration);
    const listener = { hint() {}, tokens() {} };
    const job = await engine.run({ asset: model.asset, request }, listener).result;
    await engine.close();

    const { program, constants, manifest } = await openPackage(folder, { families, verify: "once" });
    const honest = await buildTrace(program, constants, job);
    const forged = await openForgedTrace({ folder, ...job });
    expect(honest.firstFalse).toMatchObject({ stage: program.stages.length - 1, t: PROMPT.length + AT });
    expect(forged.firstFalse).toBeUndefined();

    const sample = manifest.answers[0]?.stage ?? -1;
    const differing: number[] = [];
    for (const stage of program.stages.keys()) {
      const of = { stage, fold: 0, t: 0 };
      const root = { ...leavesPosition(program, of, job.T), index: 0 };
      const [mine] = honest.nodes(root, 0);
      const [theirs] = await forged.nodes(root, 0);
      if (!Buffer.from(mine ?? []).equals(Buffer.from(theirs ?? []))) differing.push(stage);
    }
    expect(differing).toEqual([sample, program.stages.length - 1]);
    const said = tokensOf(await forged.leaf({ stage: sample, fold: 0, t: 0 }, 0));
    const claimed = tokensOf(job.claimed[0] ?? new Uint8Array());
    expect(said.slice(PROMPT.length - 1, -1)).toEqual(claimed.slice(PROMPT.length));
    honest.close();
    await forged.close();
  });
});

describe("hideTree", () => {
  it("passes everything on but questions about a tree", async () => {
    const seen: string[] = [];
    const node = createServer((request, response) => {
      seen.push(`${request.method} ${request.url}`);
      response.writeHead(201, { "x-node": "yes" });
      request.pipe(response);
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => node.once("listening", resolve));
    const front = await hideTree();
    try {
      expect((await fetch(`${front.url}/v1/node`)).status).toBe(404); // nothing is behind it yet
      front.open(`http://127.0.0.1:${(node.address() as AddressInfo).port}`);
      const answer = await fetch(`${front.url}/v1/answers?a=b`, { method: "POST", body: "body" });
      expect([answer.status, answer.headers.get("x-node"), await answer.text()]).toEqual([201, "yes", "body"]);
      expect((await fetch(`${front.url}/v1/disputes/0x00/nodes`, { method: "POST", body: "{}" })).status).toBe(404);
      expect(seen).toEqual(["POST /v1/answers?a=b"]);
    } finally {
      front.close();
      node.closeAllConnections();
      node.close();
    }
  });
});
