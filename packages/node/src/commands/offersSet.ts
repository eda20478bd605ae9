import { type AssetId, FoldmarkError, isHash, toAssetId } from "@foldmark/protocol";
import { publishedTerms, publishOffer } from "../chain/provider.ts";
import { type OpenedModel, openModel } from "../engine/openModel.ts";
import { amountOf } from "./amount.ts";
import { type Command, OPTION } from "./command.ts";
import { offerTerms, priceText } from "./offerTerms.ts";
import { openNode } from "./openNode.ts";

export const offersSet: Command = {
  name: "offers set",
  summary: "Publish prices for a model on the chain; what is not given stays as it is",
  args: [{ name: "model", summary: "name or asset id of an installed model" }],
  options: [
    { flags: "--in <amount>", summary: "for 10^6 prompt tokens" },
    { flags: "--out <amount>", summary: "for 10^6 answer tokens" },
    { flags: "--unit <amount>", summary: "for 10^6 steps of a simulation" },
    { flags: "--capacity <n>", summary: "requests at a time" },
    ...[OPTION.rpc, OPTION.deployment, OPTION.passwordFile],
  ],
  async run(input) {
    const { options, args } = input;
    const said = { in: options.in, out: options.out, unit: options.unit };
    for (const name of ["in", "out", "unit"] as const)
      if (said[name] !== undefined) amountOf(said[name], { name: FLAGS[name] });
    const capacity = capacityOf(options.capacity);
    const { config, market, key, sender } = await openNode(input);
    const payee = config.payee ?? key.address;
    const { asset, kind } = await modelOf(String(args[0]), config.models);
    const published = await publishedTerms(market, { payee, asset });
    const terms = offerTerms(said, { model: String(args[0]), kind, flags: FLAGS, published, capacity });
    const outcome = await publishOffer(market, sender, { payee, asset, terms });
    return {
      data: { asset, outcome, ...terms },
      text: `the offer for ${args[0]} is ${outcome}: ${priceText(terms)}`,
    };
  },
};

const FLAGS = { in: "--in", out: "--out", unit: "--unit" };

function capacityOf(text: unknown): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 1_024) return value;
  throw new FoldmarkError("cli.usage", `--capacity is "${String(text)}".`, {
    hint: "Give a whole number from 1 to 1024.",
  });
}

type Named = { asset: AssetId; kind: OpenedModel["kind"] | undefined };

/** An installed model by its name or asset id, or an asset id as it stands. */
async function modelOf(model: string, folders: readonly string[]): Promise<Named> {
  const names: string[] = [];
  for (const folder of folders) {
    const opened = await openModel(folder);
    if (opened.name === model || opened.asset === model) return opened;
    names.push(opened.name);
  }
  if (isHash(model)) return { asset: toAssetId(model), kind: undefined };
  throw new FoldmarkError("model.unknown", `No installed model is called "${model}".`, {
    details: { model, installed: names },
    hint: names.length > 0 ? `Installed: ${names.join(", ")}.` : "Install one with `foldmark models import FILE`.",
  });
}
