import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { openWasm } from "@foldmark/machine";
import { families, generateWhole, llamaRequest, openPackage } from "@foldmark/workloads";
import { expect, it } from "vitest";
import { tinyChatPackage } from "./tinyPackage.ts";

const fileNamed = (name: string) => fileURLToPath(new URL(`./wearing/${name}.ts`, import.meta.url));

it("completes no answer of kernels that have begun to compute wrongly, and goes on without them", async () => {
  const { folder, configuration } = await tinyChatPackage();
  const order = { prompt: [7, 33, 12], limit: 40, temperature: 0.8, minP: 0, seed: 5n };
  const request = llamaRequest(order, configuration);
  const { program, constants, manifest } = await openPackage(folder, { families, verify: "once" });
  const engine = await openWasm(program, constants);
  const { claimed } = generateWhole(engine, { model: manifest, request, ...order });
  engine.close();

  const question = JSON.stringify(request.map((bytes) => Buffer.from(bytes).toString("base64")));
  const args = ["--import", fileNamed("kernels"), fileNamed("serve"), folder, question];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args);
  const outcomes: string[] = JSON.parse(/outcomes (.*)/.exec(stdout)?.[1] ?? "[]");
  const truth = `answer ${Buffer.from(claimed[0] ?? []).toString("base64")}`;
  expect(new Set(outcomes)).toEqual(new Set([truth, "engine.failed"]));
  expect(outcomes.slice(-4)).toEqual([truth, truth, truth, truth]);
  const lost = [...`${stdout}${stderr}`.matchAll(/"without":(\[[^\]]*\])/g)].map(([, families = "[]"]) =>
    JSON.parse(families),
  );
  expect(lost.at(-1)).toContain("matrix");
  expect(`${stdout}${stderr}`).toContain("computes wrong values on this machine");
});
