import path from "node:path";
import { formatAmount } from "@foldmark/protocol";
import {
  DEFAULT_MODEL,
  families,
  fetchDefaultModel,
  type ImportStep,
  importGguf,
  importMonteCarlo,
  type ModelPackage,
  openPackage,
} from "@foldmark/workloads";
import { foldmark } from "../foldmark.ts";
import { openFunder } from "../funder.ts";
import { makeHome } from "../homes.ts";
import { need, type Stage } from "../stage.ts";
import type { StepResult } from "../story.ts";
import type { Progress } from "../terminal.ts";

export const CHAT_ALIAS = "smollm2";
export const SIMULATION_ALIAS = "european-call";
const ROYALTY_BPS = 500;

const STEP_NAMES: Record<ImportStep, string> = {
  hash: "hashing the file",
  calibrate: "calibrating",
  convert: "converting to integers",
  evaluate: "evaluating",
  write: "writing the package",
};

/** Two models become assets: a language model and a simulation. */
export async function modelStep(stage: Stage, progress: Progress): Promise<StepResult> {
  const { cache } = stage.options;
  const chat = await packageAt(path.join(cache, "packages", CHAT_ALIAS), (dir) =>
    convertDefault(stage, { dir, progress }),
  );
  const simulation = await packageAt(path.join(cache, "packages", SIMULATION_ALIAS), importMonteCarlo);
  stage.chat = chat.model;
  stage.simulation = simulation.model;

  progress.say("registering the assets");
  stage.funder = openFunder(need(stage, "chain"));
  stage.owner = await makeHome(stage, { name: "model-owner", dollars: 0n });
  await register(stage, { model: chat.model, alias: CHAT_ALIAS });
  await register(stage, { model: simulation.model, alias: SIMULATION_ALIAS });

  const { manifest, modelId, assetId, sizeBytes } = chat.model;
  return {
    lines: [
      `${manifest.name}, ${(sizeBytes / 1e6).toFixed(1)} MB of integers${chat.isCached ? " (cached)" : ""}`,
      `modelId ${modelId}`,
      `asset   ${assetId}, an ERC-721 token of ${stage.owner.address}`,
      `licence ${manifest.licence}, royalty ${ROYALTY_BPS / 100} % of every use`,
    ],
    figures: {
      name: manifest.name,
      modelId,
      asset: assetId,
      simulationAsset: simulation.model.assetId,
      sizeBytes,
      isCached: chat.isCached,
      royaltyBps: ROYALTY_BPS,
    },
  };
}

/** Opens the package that an earlier run has left, or has it made. What is damaged or of another version is made again. */
async function packageAt(
  dir: string,
  make: (dir: string) => Promise<unknown>,
): Promise<{ model: ModelPackage; isCached: boolean }> {
  try {
    return { model: await openPackage(dir, { families, verify: "once" }), isCached: true };
  } catch {
    await make(dir);
    return { model: await openPackage(dir, { families, verify: "once" }), isCached: false };
  }
}

async function convertDefault(
  { options }: Stage,
  { dir, progress }: { dir: string; progress: Progress },
): Promise<void> {
  const { path: file } = await fetchDefaultModel({
    cacheDir: options.cache,
    ...(options.model !== undefined && { file: path.resolve(options.model) }),
    onProgress: ({ step, doneBytes, totalBytes }) =>
      progress.bar(`${step} ${(totalBytes / 1e6).toFixed(0)} MB`, doneBytes, totalBytes),
  });
  const { name, licence } = DEFAULT_MODEL;
  await importGguf(file, {
    dir,
    name,
    licence,
    onProgress: ({ step, done, total }) => progress.bar(STEP_NAMES[step], done, total),
  });
}

async function register(stage: Stage, { model, alias }: { model: ModelPackage; alias: string }): Promise<void> {
  const { rpc } = need(stage, "chain");
  const { folder, passwordFile } = need(stage, "owner");
  const terms = ["--royalty-bps", String(ROYALTY_BPS), "--alias", alias];
  await foldmark(folder, ["models", "register", model.dir, ...terms, "--rpc", rpc, "--password-file", passwordFile]);
}

/** Amounts as a person reads them. */
export const dollars = (amount: bigint): string => `${formatAmount(amount as never)} TUSD`;
