import { baseUnits, toAssetId, toHash } from "@foldmark/protocol";
import { courtAbi, modelRegistryAbi, paymentChannelsAbi, providerRegistryAbi } from "@foldmark/protocol/abi";
import type { ChainReader } from "@foldmark/sdk";
import { BlockNotFoundError, numberToHex } from "viem";
import { chainError, type Market } from "./market.ts";

/** Offers of one call. */
const PAGE = 100n;

/** The chain as the check of a receipt reads it, at the blocks that the receipt names. */
export function chainReader({ chain: { client }, deployment, terms }: Market): ChainReader {
  const { channels, providers, models, court } = deployment.contracts;
  const accounts = { address: channels, abi: paymentChannelsAbi };
  const registry = { address: providers, abi: providerRegistryAbi };
  return {
    ...{ chainId: deployment.chainId, channels, terms },
    answerableUntil: async (payee, key) =>
      BigInt(await client.readContract({ ...accounts, functionName: "answerableUntil", args: [payee, key] })),
    convictedAt: async (digest) =>
      BigInt(
        await client.readContract({
          ...{ address: court, abi: courtAbi, functionName: "convictedAt", args: [digest] },
        }),
      ),
    async block(blockNumber) {
      try {
        const { hash, timestamp } = await client.getBlock({ blockNumber });
        return { hash: toHash(hash), timestamp };
      } catch (error) {
        if (error instanceof BlockNotFoundError) return undefined;
        throw chainError(error, "read a block");
      }
    },
    async offers(asset, blockNumber) {
      const model = BigInt(asset);
      try {
        const count = await client.readContract({
          ...{ ...registry, functionName: "offerCount", args: [model], blockNumber },
        });
        const found = [];
        for (let offset = 0n; offset < count; offset += PAGE)
          found.push(
            ...(await client.readContract({
              ...{ ...registry, functionName: "offers", args: [model, offset, PAGE], blockNumber },
            })),
          );
        return await Promise.all(
          found.map(async ({ provider, offer }) => {
            const [{ paused }, stake] = await Promise.all([
              client.readContract({ ...registry, functionName: "providerOf", args: [provider], blockNumber }),
              client.readContract({ ...accounts, functionName: "stakeOf", args: [provider], blockNumber }),
            ]);
            const { priceIn, priceOut, priceUnit, assurance } = offer;
            return {
              ...{ provider, isPaused: paused, assurance: assurance === 0 ? ("exact" as const) : ("reputed" as const) },
              prices: { in: baseUnits(priceIn), out: baseUnits(priceOut), unit: baseUnits(priceUnit) },
              stake: { amount: baseUnits(stake.amount), unbonding: baseUnits(stake.unbonding) },
            };
          }),
        );
      } catch {
        return undefined; // a node that is no archive has forgotten the state of older blocks
      }
    },
    async alias(name, block) {
      const asset = await client
        .readContract({ ...{ address: models, abi: modelRegistryAbi, functionName: "aliasAt", args: [name, block] } })
        .catch((error) => {
          throw chainError(error, "read an alias");
        });
      return asset === 0n ? undefined : toAssetId(numberToHex(asset, { size: 32 }));
    },
  };
}
