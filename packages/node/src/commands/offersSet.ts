import { FoldmarkError, isHash, toAssetId } from "@foldmark/protocol";
import { publishOffer } from "../chain/provider.ts";
import { openModel } from "../engine/openModel.ts";
import { amountOf } from "./amount.ts";
import { type Command, OPTION } from "./command.ts";
import { openNode } from "./openNode.ts";

export const offersSet: Command = {
  name: "offers set",
  summary: "Publish prices for a model on the chain",
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
    const terms = {
      priceIn: amountOf(options.in ?? "0", { name: "--in" }),
      priceOut: amountOf(options.out ?? "0", { name: "--out" }),
      priceUnit: amountOf(options.unit ?? "0", { name: "--unit" }),
      capacity: capacityOf(options.capacity),
    };
    const { config, market, key, sender } = await openNode(input);
    const asset = await assetOf(String(args[0]), config.models);
    const outcome = await publishOffer(market, sender, { payee: config.payee ?? key.address, asset, terms });
    return { data: { asset, outcome, ...terms }, text: `the offer for ${args[0]} is ${outcome}` };
  },
};

function capacityOf(text: unknown): number {
  const value = Number(text ?? 1);
  if (Number.isInteger(value) && value >= 1 && value <= 1_024) return value;
  throw new FoldmarkError("cli.usage", `--capacity is "${String(text)}".`, {
    hint: "Give a whole number from 1 to 1024.",
  });
}

/** The asset of an installed model by its name, or an asset id as it stands. */
async function assetOf(model: string, folders: readonly string[]) {
  if (isHash(model)) return toAssetId(model);
  const names: string[] = [];
  for (const folder of folders) {
    const opened = await openModel(folder);
    if (opened.name === model) return opened.asset;
    names.push(opened.name);
  }
  throw new FoldmarkError("model.unknown", `No installed model is called "${model}".`, {
    details: { model, installed: names },
    hint: names.length > 0 ? `Installed: ${names.join(", ")}.` : "Install one with `foldmark models import FILE`.",
  });
}
