import { type AssetId, assetIdToUint, FoldmarkError, isSameAddress } from "@foldmark/protocol";
import { modelRegistryAbi } from "@foldmark/protocol/abi";
import { chainError, type Market } from "./market.ts";
import type { Sender } from "./transact.ts";

/**
 * Points a name at an asset: takes the name when it is free, moves it when it is the sender's.
 * @throws `model.alias_taken` when it is somebody else's, `chain.*`
 */
export async function claimAlias(
  market: Market,
  sender: Sender,
  { name, asset }: { name: string; asset: AssetId },
): Promise<"claimed" | "moved" | "known"> {
  const contract = { address: market.deployment.contracts.models, abi: modelRegistryAbi };
  const found = await market.chain.client
    .readContract({ ...contract, functionName: "aliasOf", args: [name] })
    .catch((error) => {
      const wrapped = chainError(error, "look up the alias");
      if (wrapped instanceof FoldmarkError && wrapped.details.error === "UnknownAlias") return undefined;
      throw wrapped;
    });
  const args = [name, assetIdToUint(asset)] as const;
  if (!found) {
    await sender.send("claim the alias", (wallet) =>
      wallet.writeContract({ ...contract, functionName: "claimAlias", args }),
    );
    return "claimed";
  }
  const [owner, pointsAt] = found;
  if (!isSameAddress(owner, sender.account.address))
    throw new FoldmarkError("model.alias_taken", `The alias "${name}" belongs to ${owner}.`, {
      details: { name, owner },
      hint: "Choose another name.",
    });
  if (pointsAt === args[1]) return "known";
  await sender.send("move the alias", (wallet) =>
    wallet.writeContract({ ...contract, functionName: "pointAlias", args }),
  );
  return "moved";
}
