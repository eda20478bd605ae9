import { FoldmarkError } from "@foldmark/protocol";
import { families, openPackage } from "@foldmark/workloads";
import { claimAlias } from "../chain/claimAlias.ts";
import { registerModel } from "../chain/registerModel.ts";
import { type Command, OPTION } from "./command.ts";
import { folderNamed, installedPackages } from "./installed.ts";
import { openConfig, openNode } from "./openNode.ts";

export const modelsRegister: Command = {
  name: "models register",
  summary: "Register an installed package as an asset of this key: licence, royalty, where it is found",
  args: [{ name: "name", summary: "name of an installed model, or the folder of a package" }],
  options: [
    { flags: "--royalty-bps <n>", summary: "part of every redemption that is the model's, 0 to 5000" },
    { flags: "--resale-royalty-bps <n>", summary: "part of a sale of the token, 0 to 1000" },
    { flags: "--alias <name>", summary: "name by which callers may ask for it; first come" },
    { flags: "--metadata-uri <uri>", summary: "ERC-721 metadata" },
    { flags: "--package-uri <uri>", summary: "where the package can be fetched; may be given again", isList: true },
    ...[OPTION.rpc, OPTION.deployment, OPTION.passwordFile],
  ],
  async run(input) {
    const { options, args, context } = input;
    const terms = {
      royaltyBps: bps(options.royaltyBps, { name: "--royalty-bps", most: 5_000 }),
      resaleRoyaltyBps: bps(options.resaleRoyaltyBps, { name: "--resale-royalty-bps", most: 1_000 }),
      metadataUri: String(options.metadataUri ?? ""),
      packageUris: Array.isArray(options.packageUri) ? options.packageUri : [],
      parents: [],
    };
    const folder = folderNamed(String(args[0]), await installedPackages(context.home, await openConfig(input)));
    const model = await openPackage(folder, { families, verify: "once" });
    const { market, sender } = await openNode(input);
    const { asset, outcome, transaction } = await registerModel(market, sender, { model, terms });
    const alias = typeof options.alias === "string" ? options.alias : undefined;
    if (alias !== undefined) await claimAlias(market, sender, { name: alias, asset });
    const { name, licence } = model.manifest;
    const called = alias === undefined ? "" : `, called ${alias}`;
    return {
      data: {
        asset,
        alias: alias ?? null,
        modelId: model.modelId,
        packageHash: model.packageHash,
        name,
        licence,
        ...terms,
        outcome,
        transaction,
      },
      text: `${name} (${licence}, royalty ${terms.royaltyBps / 100} %) is ${outcome === "known" ? "registered already" : "registered"}${called}: ${asset}`,
    };
  },
};

function bps(text: unknown, { name, most }: { name: string; most: number }): number {
  const value = Number(text ?? 0);
  if (Number.isInteger(value) && value >= 0 && value <= most) return value;
  throw new FoldmarkError("cli.usage", `${name} is "${String(text)}".`, {
    hint: `Give a whole number from 0 to ${most}.`,
  });
}
