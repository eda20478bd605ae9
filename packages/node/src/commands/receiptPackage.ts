import path from "node:path";
import { assetIdFromUint, FoldmarkError, parseReceipt } from "@foldmark/protocol";
import type { NodeConfig } from "../config.ts";
import { requirePackage } from "../packages/requirePackage.ts";
import type { CommandInput } from "./command.ts";
import { installedPackages } from "./installed.ts";

/** The folder that was named, or the installed package of the receipt's model. @throws `package.missing` */
export async function packageOfReceipt(
  json: unknown,
  { options, context }: CommandInput,
  config: NodeConfig,
): Promise<string> {
  if (typeof options.package === "string") {
    requirePackage(options.package);
    return path.resolve(options.package);
  }
  const asset = assetIdFromUint(parseReceipt(json).channel.model);
  const installed = await installedPackages(context.home, config);
  const found = installed.find((model) => model.asset === asset);
  if (found) return found.folder;
  throw new FoldmarkError("package.missing", `The package of ${asset} is not installed.`, {
    details: { asset, installed: installed.map((model) => model.asset) },
    hint: "Fetch it with `foldmark models fetch URL`, or give --package DIR.",
  });
}
