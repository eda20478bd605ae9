import { type Engine, openWasmWith, type WasmEngine } from "@foldmark/machine";
import { chainReader, connectMarket } from "@foldmark/node";
import { type Verification, verify } from "@foldmark/sdk";
import { generateWhole, type ModelPackage, readLlamaRequest } from "@foldmark/workloads";
import { need, type Served, type Stage } from "./stage.ts";

export type Measured<Result> = { result: Result; cpuSeconds: number };

/** Work on this thread and what it cost in CPU time. */
export async function measured<Result>(work: () => Result | Promise<Result>): Promise<Measured<Result>> {
  const start = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(start);
  return { result, cpuSeconds: (user + system) / 1e6 };
}

export const openEngine = (model: ModelPackage): Promise<WasmEngine> =>
  openWasmWith(model.program, model.constants, {});

/** What a third party does with a receipt: everything that can be checked, on the chain and by computing again. */
export async function checkAnswer(
  stage: Stage,
  { json, body, text, receipt }: Served,
  { model, engine }: { model: ModelPackage; engine: Engine },
): Promise<Verification> {
  const { rpc, deployment } = need(stage, "chain");
  const { apiKey } = need(stage, "gateway");
  const chain = chainReader(await connectMarket({ rpc: [rpc], deployment }));
  return verify(json, { package: model, body, apiKey, chain, engine, ...(receipt.kind === "chat" && { text }) });
}

/** The answer as a provider makes it, token by token: what a check is compared with. */
export function makeAnswerAgain(
  { receipt }: Served,
  { model, engine }: { model: ModelPackage; engine: Engine },
): number[] {
  const { request } = receipt;
  const bounds = { maxT: model.program.maxT, vocabulary: model.tokenizer().vocabulary };
  const { prompt, limit } = readLlamaRequest(request, bounds);
  const { kind, answers, length, stopIds } = model.manifest;
  return generateWhole(engine, { model: { kind, answers, length, stopIds }, request, prompt, limit }).tokens;
}

/** The findings as lines. */
export const findingLines = ({ findings }: Verification): string[] =>
  findings.map(
    ({ check, status, detail }) =>
      `${status === "holds" ? "ok  " : status === "fails" ? "FALSE" : "?   "} ${check.padEnd(9)} ${detail}`,
  );
