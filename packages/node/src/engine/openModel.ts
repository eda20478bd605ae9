import type { Program } from "@foldmark/machine";
import { FoldmarkError, toAssetId, toHash, toModelId } from "@foldmark/protocol";
import {
  callBlocks,
  checkCallRequest,
  families,
  llamaRequest,
  type ModelPackage,
  openPackage,
  parseLlamaConfiguration,
  readLlamaRequest,
  WorkloadError,
} from "@foldmark/workloads";
import { requirePackage } from "../packages/requirePackage.ts";
import type { RequestSize, ServedModel } from "./answerEngine.ts";

/** A served model whose chats can be read: what the engine's thread needs besides the tensors. */
export type OpenedModel = ServedModel & {
  program: Program;
  /** `undefined` for a simulation. */
  readChat(request: readonly Uint8Array[]): { prompt: number[]; limit: number } | undefined;
  /** A request of arbitrary tokens, to measure speed with; `undefined` for a simulation. */
  probe(options: { promptTokens: number; limit: number; seed: bigint }): Uint8Array[] | undefined;
};

/**
 * Opens a package for serving: its hashes and roots are checked, and its program is built again.
 * @throws `package.missing` where there is none, `package.*` of workloads, and `package.mismatch` for a program that no known family explains
 */
export async function openModel(folder: string): Promise<OpenedModel> {
  requirePackage(folder);
  const opened = await openPackage(folder, { families, verify: "once" });
  const reader = readerOf(opened);
  const { manifest } = opened;
  return {
    asset: toAssetId(opened.assetId),
    modelId: toModelId(opened.modelId),
    packageHash: toHash(opened.packageHash),
    ...{ name: manifest.name, kind: manifest.kind, context: manifest.maxT, header: manifest.header, folder },
    programRoot: toHash(opened.programRoot),
    weightsRoot: toHash(opened.weightsRoot),
    program: opened.program,
    measure: (request) => refusing(() => reader.measure(request)),
    readChat: (request) => reader.readChat(request),
    probe: (options) => reader.probe(options),
  };
}

type Reader = Pick<OpenedModel, "measure" | "readChat" | "probe">;

function readerOf({ manifest, dir }: ModelPackage): Reader {
  const { maxT } = manifest;
  if (manifest.family?.name === "llama") {
    const bounds = { maxT, vocabulary: parseLlamaConfiguration(manifest.family.configuration).vocabulary };
    return {
      measure(request): RequestSize {
        const { prompt, limit } = readLlamaRequest(request, bounds);
        return { kind: "chat", promptTokens: prompt.length, limit };
      },
      readChat(request) {
        const { prompt, limit } = readLlamaRequest(request, bounds);
        return { prompt, limit };
      },
      probe({ promptTokens, limit, seed }) {
        // any tokens take the same time; a temperature keeps the model from ending at once
        const prompt = Array.from(
          { length: promptTokens },
          (_, t) => (Number(seed % 1009n) * (t + 1)) % bounds.vocabulary,
        );
        return llamaRequest({ prompt, limit, temperature: 1, minP: 0, seed }, bounds);
      },
    };
  }
  if (manifest.family?.name === "monte-carlo")
    return {
      measure(request): RequestSize {
        checkCallRequest([...request], { maxT });
        return { kind: "simulation", steps: callBlocks([...request]) };
      },
      readChat: () => undefined,
      probe: () => undefined,
    };
  throw new FoldmarkError(
    "package.mismatch",
    `${dir}: no known family explains this program, so its requests cannot be read.`,
    {
      details: { folder: dir, family: manifest.family?.name ?? null },
      hint: "Serve a package of family llama or monte-carlo.",
    },
  );
}

/** A request with no true statement is the payer's mistake, whichever of its rules it breaks. */
function refusing<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof WorkloadError)) throw error;
    throw new FoldmarkError("request.invalid", error.message, {
      details: { fields: ["request"], rule: error.code, ...jsonOf(error.details) },
      cause: error,
    });
  }
}

const jsonOf = (details: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  JSON.parse(JSON.stringify(details, (_key, value) => (typeof value === "bigint" ? value.toString() : value)));
