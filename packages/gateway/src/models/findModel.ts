import { FoldmarkError } from "@foldmark/protocol";
import type { Market } from "../market/market.ts";
import type { ServedModels } from "./openModels.ts";
import type { ServedModel } from "./servedModel.ts";

export type FoundModel<Model extends ServedModel> = {
  model: Model;
  alias: { name: string; block: bigint } | undefined;
};

/**
 * The model that a client named, by alias or asset id, resolved once.
 * @throws `model.unknown` for one that is not registered or whose package this gateway does not hold, `model.wrong_kind`
 */
export function findModel<Kind extends ServedModel["kind"]>(
  name: string,
  kind: Kind,
  { market, models }: { market: Market; models: ServedModels },
): FoundModel<Extract<ServedModel, { kind: Kind }>> {
  const resolved = market.resolve(name);
  if (!resolved) throw unknown(name, "does not exist");
  const model = models.get(resolved.model.asset);
  if (!model) throw unknown(name, "is registered, but this gateway does not hold its package");
  if (!isOf(model, kind))
    throw new FoldmarkError("model.wrong_kind", `The model '${name}' is a ${model.kind} model, not a ${kind} model.`, {
      details: { param: "model" },
    });
  return { model, alias: resolved.alias };
}

const isOf = <Kind extends ServedModel["kind"]>(
  model: ServedModel,
  kind: Kind,
): model is Extract<ServedModel, { kind: Kind }> => model.kind === kind;

function unknown(name: string, why: string): FoldmarkError {
  return new FoldmarkError("model.unknown", `The model '${name}' ${why}.`, { details: { param: "model" } });
}
