import { codeOf, FoldmarkError, toAssetId, toHash, toModelId } from "@foldmark/protocol";
import {
  callRequest,
  families,
  llamaRequest,
  type ModelPackage,
  openPackage,
  PATHS_PER_BLOCK,
  readCallPrice,
  WorkloadError,
} from "@foldmark/workloads";
import { z } from "zod";
import type { Renderer } from "../rendering/renderer.ts";
import type { ChatModel, ServedModel, SimulationModel } from "./servedModel.ts";

/** Models by asset id. */
export type ServedModels = ReadonlyMap<string, ServedModel>;

/**
 * Opens the model packages of these folders. Each is checked whole: hashes, roots, and the program, which is rebuilt from
 * its family. A package that no known family explains is refused: what its program computes, nobody has checked.
 * @throws `package.mismatch`, and what `openPackage` throws
 */
export async function openModels(dirs: readonly string[], { renderer }: { renderer: Renderer }): Promise<ServedModels> {
  const models = new Map<string, ServedModel>();
  for (const dir of dirs) {
    const model = await openModel(dir, renderer);
    if (model.kind === "chat") await warmUp(model);
    models.set(model.asset, model);
  }
  return models;
}

/** Opens the tokenizer in the renderer's thread now, and not while the first caller waits. */
async function warmUp(model: ChatModel): Promise<void> {
  try {
    await model.render([{ role: "user", content: "" }]);
  } catch (error) {
    if (codeOf(error) !== "request.invalid") throw error; // a template may well want more than an empty message
  }
}

async function openModel(dir: string, renderer: Renderer): Promise<ServedModel> {
  const opened = await openPackage(dir, { families });
  const { manifest, modelId, packageHash, assetId, programRoot, weightsRoot } = opened;
  if (opened.isCustom)
    throw new FoldmarkError("package.mismatch", `No family that this version knows explains the program in ${dir}.`, {
      details: { dir },
    });
  const common = {
    asset: toAssetId(assetId),
    modelId: toModelId(modelId),
    packageHash: toHash(packageHash),
    maxT: manifest.maxT,
    header: manifest.header,
    programRoot: toHash(programRoot),
    weightsRoot: toHash(weightsRoot),
  };
  switch (manifest.family?.name) {
    case "llama":
      return { ...common, ...chatOf(opened, renderer) };
    case "monte-carlo":
      return { ...common, ...optionOf(opened) };
    default:
      throw new FoldmarkError("package.mismatch", `This gateway has no service for the family in ${dir}.`, {
        details: { dir, family: manifest.family?.name ?? null },
      });
  }
}

const llamaConfiguration = z.object({ vocabulary: z.int().positive() });

function chatOf(opened: ModelPackage, renderer: Renderer): ChatModel {
  const { dir, manifest } = opened;
  const { maxT } = manifest;
  const { vocabulary } = llamaConfiguration.parse(manifest.family?.configuration);
  const tokenizer = opened.tokenizer();
  if (tokenizer.vocabulary !== vocabulary)
    throw new FoldmarkError("package.mismatch", `Tokenizer and program in ${dir} have different vocabularies.`, {
      details: { dir, tokenizer: tokenizer.vocabulary, program: vocabulary },
    });
  return {
    kind: "chat",
    vocabulary,
    stopIds: new Set(manifest.stopIds),
    render: (messages) => renderer.render(dir, messages),
    stream: () => tokenizer.stream(),
    request: (order) => asRequestError(() => llamaRequest(order, { maxT, vocabulary })),
  };
}

const PRICE_BYTES = 16; // i64[1, 2]: price and standard error

function optionOf({ manifest: { maxT } }: ModelPackage): SimulationModel {
  return {
    kind: "simulation",
    request({ parameters, paths, seed }) {
      const { spot, strike, ...rest } = parameters;
      if (paths > maxT * PATHS_PER_BLOCK)
        throw new FoldmarkError("request.invalid", `paths must be at most ${maxT * PATHS_PER_BLOCK}, it is ${paths}.`, {
          details: { param: "paths" },
        });
      const blocks = paths / PATHS_PER_BLOCK;
      const order = { ...rest, strike: strike / spot, seed, blocks };
      return { tensors: asRequestError(() => callRequest(order, { maxT })), T: blocks };
    },
    result([claimed], { spot }) {
      const { price, standardError } = readCallPrice(claimed ?? new Uint8Array(PRICE_BYTES));
      return { price: toMillionths(price * spot), standardError: toMillionths(standardError * spot) };
    },
    claimedBytes: () => [PRICE_BYTES],
  };
}

/** A decimal as the program gives it: the digits behind the sixth are the multiplication's. */
const toMillionths = (value: number): number => Number(value.toFixed(6));

/** What the program refuses is the caller's mistake, named as the caller named it. */
function asRequestError<Value>(work: () => Value): Value {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof WorkloadError)) throw error;
    const name = error.details.name;
    const [parameter = ""] = typeof name === "string" ? name.split(" ") : []; // of a product: its first factor
    const param =
      parameter === "" ? error.code.split(".")[1] : parameter === "blocks" ? "paths" : `parameters.${parameter}`;
    throw new FoldmarkError("request.invalid", error.message, { details: { param }, cause: error });
  }
}
