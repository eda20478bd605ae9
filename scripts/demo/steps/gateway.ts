import path from "node:path";
import { toAddress } from "@foldmark/protocol";
import { z } from "zod";
import { gatewayArgs, gatewayCommand, startServer } from "../foldmark.ts";
import { makeHome } from "../homes.ts";
import { type Home, need, type Stage } from "../stage.ts";
import type { StepResult } from "../story.ts";
import type { Progress } from "../terminal.ts";
import { DOLLAR } from "./providers.ts";

const readyLine = z.object({ event: z.literal("ready"), url: z.string(), address: z.string() });
const keyLine = z.object({ key: z.string() });
const BUDGET = "5.00";

/** A gateway that reads providers, models and prices from the chain's events, and an API key with a budget. */
export async function gatewayStep(stage: Stage, progress: Progress): Promise<StepResult> {
  progress.say("making its key");
  const home = await makeHome(stage, { name: "gateway", dollars: 500n * DOLLAR });
  progress.say("starting, and reading the chain from its first block");
  const { ready } = await serveGateway(stage, home);
  const { key } = keyLine.parse(
    JSON.parse(await gatewayCommand(["keys", "create", "--data", dataOf(home), "--name", "demo", "--budget", BUDGET])),
  );
  stage.gateway = { url: ready.url, apiKey: key, address: toAddress(ready.address) };
  return {
    lines: [
      `${ready.url}/v1 (API page ${ready.url}/docs), pays with ${ready.address}`,
      `an API key with a budget of ${BUDGET} TUSD`,
    ],
    figures: { url: ready.url, address: ready.address },
  };
}

/** Where a gateway keeps what it must not forget. */
export const dataOf = ({ folder }: Home): string => path.join(folder, "data");

/** Starts a gateway on its home folder. */
export function serveGateway(stage: Stage, home: Home, flags: string[] = []) {
  return startServer("gateway", {
    args: gatewayArgs([
      ...["--rpc", need(stage, "chain").rpc, "--deployment", path.join(home.folder, "deployment.json")],
      ...["--packages", [need(stage, "chat").dir, need(stage, "simulation").dir].join(",")],
      ...["--data", dataOf(home), "--keystore", path.join(home.folder, "keys", "operator.json")],
      ...["--password-file", home.passwordFile, "--listen", "127.0.0.1:0", ...flags],
    ]),
    ready: readyLine,
  });
}
