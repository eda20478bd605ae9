import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { foldmark } from "../../scripts/demo/foldmark.ts";
import { makeHome } from "../../scripts/demo/homes.ts";
import { stopAll } from "../../scripts/demo/processes.ts";
import { need, type Stage } from "../../scripts/demo/stage.ts";
import { chainStep } from "../../scripts/demo/steps/chain.ts";
import { gatewayStep } from "../../scripts/demo/steps/gateway.ts";
import { CHAT_ALIAS, modelStep } from "../../scripts/demo/steps/model.ts";
import { DOLLAR, joinMarket, serve } from "../../scripts/demo/steps/providers.ts";
import type { Progress } from "../../scripts/demo/terminal.ts";
import type { Target } from "./load.ts";

const OFFER = { in: "0.10", out: "0.40", unit: "20" };

/** A chain, a provider that answers `capacity` requests at a time, and a gateway: processes of their own, as in the demo. */
export async function openMarket({ gguf, cache, capacity }: { gguf?: string; cache: string; capacity: number }) {
  const work = await mkdtemp(path.join(tmpdir(), "foldmark-bench-"));
  const stage: Stage = {
    options: { once: true, json: undefined, model: gguf, keep: undefined, cache },
    ...{ work, providers: [], answers: [] },
  };
  // of the processes that are started below: who waits is measured, and not sent away
  process.env.FOLDMARK_SERVE_QUEUE = String(capacity);
  process.env.FOLDMARK_GATEWAY_DEADLINES_FIRST_TOKEN_MS = String(600_000);
  const close = async () => {
    await stopAll();
    await rm(work, { recursive: true, force: true });
  };
  try {
    await chainStep(stage, progress);
    await modelStep(stage, progress);
    const home = await makeHome(stage, { name: "provider", dollars: 500n * DOLLAR });
    await joinMarket(stage, home, OFFER);
    const settings = ["--rpc", need(stage, "chain").rpc, "--password-file", home.passwordFile];
    const { name } = need(stage, "chat").manifest;
    await foldmark(home.folder, ["offers", "set", name, "--capacity", String(capacity), ...settings]);
    await serve(home);
    await gatewayStep(stage, progress);
  } catch (error) {
    await close();
    throw error;
  }
  const { url, apiKey } = need(stage, "gateway");
  const target: Target = { url, headers: { authorization: `Bearer ${apiKey}` }, model: CHAT_ALIAS };
  return { target, [Symbol.asyncDispose]: close };
}

const note = (text: string): void => void process.stderr.write(`${text}\n`);
const progress: Progress = { say: note, note, bar() {}, stream() {} };
