import type { Deployment } from "@foldmark/protocol";
import { modelRegistryAbi, paymentChannelsAbi, providerRegistryAbi, testUSDAbi } from "@foldmark/protocol/abi";
import type { ChainConnection } from "@foldmark/service";
import type { ModelPackage } from "@foldmark/workloads";
import { encodeAbiParameters, type Hex, keccak256 } from "viem";
import { accountAt, hardware, registration } from "../../../service/test/support/market.ts";

export { accountAt, connectLocal, deployMarket, startAnvil } from "../../../service/test/support/market.ts";

export type Prices = { priceIn: bigint; priceOut: bigint; priceUnit: bigint };

/** One account's transactions on the market, each waited for. */
export function marketActor({ client, walletOf }: ChainConnection, { contracts }: Deployment, index: number) {
  const account = accountAt(index);
  const wallet = walletOf(account);
  const models = { address: contracts.models, abi: modelRegistryAbi } as const;
  const providers = { address: contracts.providers, abi: providerRegistryAbi } as const;
  const channels = { address: contracts.channels, abi: paymentChannelsAbi } as const;
  const token = { address: contracts.token, abi: testUSDAbi } as const;
  const mined = async (sent: Promise<Hex>) => {
    const receipt = await client.waitForTransactionReceipt({ hash: await sent });
    if (receipt.status !== "success") throw new Error(`transaction ${receipt.transactionHash} reverted`);
  };
  return {
    account,
    mint: (amount: bigint) =>
      mined(wallet.writeContract({ ...token, functionName: "mint", args: [account.address, amount] })),
    async registerModel(opened: ModelPackage, alias: string) {
      const { header } = opened.manifest;
      const { programRoot, weightsRoot, packageHash, assetId } = opened;
      const of = { ...registration, header, programRoot, weightsRoot, packageHash };
      const commitment = keccak256(
        encodeAbiParameters(
          [{ type: "uint256" }, { type: "address" }, { type: "bytes32" }],
          [BigInt(assetId), account.address, of.salt],
        ),
      );
      await mined(wallet.writeContract({ ...models, functionName: "commit", args: [commitment] }));
      await mined(wallet.writeContract({ ...models, functionName: "register", args: [of] }));
      await mined(wallet.writeContract({ ...models, functionName: "claimAlias", args: [alias, BigInt(assetId)] }));
    },
    /** Stakes 8 penalties and registers an endpoint. */
    async becomeProvider(endpoint: string) {
      await this.mint(80_000_000n);
      await mined(wallet.writeContract({ ...token, functionName: "approve", args: [contracts.channels, 80_000_000n] }));
      await mined(wallet.writeContract({ ...channels, functionName: "stake", args: [80_000_000n] }));
      await mined(wallet.writeContract({ ...providers, functionName: "register", args: [endpoint, hardware] }));
    },
    offer: (assetId: string, prices: Prices) =>
      mined(
        wallet.writeContract({
          ...providers,
          functionName: "setOffer",
          args: [account.address, BigInt(assetId), { ...prices, assurance: 0, mode: 0, capacity: 8 }],
        }),
      ),
    pause: (isPaused: boolean) =>
      mined(wallet.writeContract({ ...providers, functionName: "setPaused", args: [account.address, isPaused] })),
  };
}
