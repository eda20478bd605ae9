import { randomBytes } from "node:crypto";
import {
  type AssetId,
  assetIdFromUint,
  assetIdOf,
  assetIdToUint,
  FoldmarkError,
  toHash,
  toModelId,
} from "@foldmark/protocol";
import { modelRegistryAbi } from "@foldmark/protocol/abi";
import type { ModelPackage } from "@foldmark/workloads";
import { bytesToHex, encodeAbiParameters, type Hex, keccak256, parseEventLogs } from "viem";
import { chainError, type Market } from "./market.ts";
import type { Sender } from "./transact.ts";

export type ModelRegistration = {
  royaltyBps: number;
  resaleRoyaltyBps: number;
  metadataUri: string;
  packageUris: string[];
  parents: { assetId: bigint; shareBps: number }[];
};

export type RegisteredModel = { asset: AssetId; outcome: "registered" | "known"; transaction?: Hex };

/**
 * Registers a package as an asset of the sender: first a commitment that shows nothing, then, a block later, what it is.
 * A model that is registered already stays whose it is.
 * @throws `chain.*`
 */
export async function registerModel(
  market: Market,
  sender: Sender,
  { model, terms }: { model: ModelPackage; terms: ModelRegistration },
): Promise<RegisteredModel> {
  const asset = assetIdOf(toModelId(model.modelId), toHash(model.packageHash));
  const contract = { address: market.deployment.contracts.models, abi: modelRegistryAbi };
  const assetId = assetIdToUint(asset);
  const isKnown = await market.chain.client
    .readContract({ ...contract, functionName: "isRegistered", args: [assetId] })
    .catch((error) => {
      throw chainError(error, "look up the model");
    });
  if (isKnown) return { asset, outcome: "known" };

  const salt = bytesToHex(randomBytes(32));
  const commitment = keccak256(
    encodeAbiParameters(
      [{ type: "uint256" }, { type: "address" }, { type: "bytes32" }],
      [assetId, sender.account.address, salt],
    ),
  );
  const { blockNumber } = await sender.send("commit to the model", (wallet) =>
    wallet.writeContract({ ...contract, functionName: "commit", args: [commitment] }),
  );
  const { header, programRoot, weightsRoot, licence } = model.manifest;
  const registration = {
    ...{ header, programRoot, weightsRoot, packageHash: model.packageHash, salt, licence, ...terms },
    packageSizeBytes: BigInt(model.sizeBytes),
    predecessor: 0n,
  };
  const register = () =>
    sender.send("register the model", (wallet) =>
      wallet.writeContract({ ...contract, functionName: "register", args: [registration] }),
    );
  const receipt = await register().catch(async (error) => {
    // an RPC endpoint that tries the call on its latest block, not the next one, takes the commitment for too young
    if (!(error instanceof FoldmarkError) || error.details.error !== "NotCommitted") throw error;
    await blockAfter(market, blockNumber);
    return register();
  });
  const [event] = parseEventLogs({ abi: modelRegistryAbi, eventName: "AssetRegistered", logs: receipt.logs });
  const registered = event && assetIdFromUint(event.args.assetId);
  if (registered !== asset)
    throw new FoldmarkError(
      "package.mismatch",
      `The contract computed another asset id: ${registered}, not ${asset}.`,
      {
        details: { registered: registered ?? null, expected: asset },
      },
    );
  return { asset, outcome: "registered", transaction: receipt.transactionHash };
}

/** Waits until the chain has gone on. */
async function blockAfter({ chain }: Market, block: bigint): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const stop = chain.client.watchBlockNumber({
    emitOnBegin: true,
    onBlockNumber: (head) => {
      if (head > block) resolve();
    },
    onError: (error) => reject(chainError(error, "wait for a block")),
  });
  try {
    await promise;
  } finally {
    stop();
  }
}
