import type { WalletClient } from "@nomicfoundation/hardhat-viem/types";
import hre from "hardhat";
import { type Address, concat, encodeAbiParameters, type Hex, keccak256, sha256, zeroHash } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import MarketModule from "../../ignition/modules/Market.ts";

export const TUSD = 1_000_000n;

/** A chain of its own with the market deployed as in production, by Ignition, and its people. */
export async function openMarket() {
  const { viem, ethers, ignition, networkHelpers } = await hre.network.create("sim");
  const { testUSD, modelRegistry, referee, paymentChannels, court, providerRegistry } =
    await ignition.deploy(MarketModule);
  const [deployer, payer, payee, author, stranger] = await viem.getWalletClients();
  if (!deployer || !payer || !payee || !author || !stranger) throw new Error("The chain has too few accounts.");
  const client = await viem.getPublicClient();
  const token = await viem.getContractAt("TestUSD", testUSD.address);
  const models = await viem.getContractAt("ModelRegistry", modelRegistry.address);
  const channels = await viem.getContractAt("PaymentChannels", paymentChannels.address);
  const providers = await viem.getContractAt("ProviderRegistry", providerRegistry.address);
  const domain = {
    name: "Foldmark",
    version: "1",
    chainId: await client.getChainId(),
    verifyingContract: channels.address,
  } as const;
  const people = { payer, payee, author, stranger };
  const contracts = {
    ...{ token, models, channels, providers },
    court: await viem.getContractAt("Court", court.address),
    referee: await viem.getContractAt("Referee", referee.address),
  };

  /** Mints `amount` to `account` and lets the channels take it. */
  async function fund(account: WalletClient, amount: bigint) {
    await token.write.mint([account.account.address, amount]);
    await token.write.approve([channels.address, amount], { account: account.account });
  }

  /** Commits to an asset and registers it for `owner`; gives back its id. */
  async function registerModel(owner: WalletClient, registration: Registration): Promise<bigint> {
    const assetId = assetIdOf(registration);
    const account = owner.account;
    await models.write.commit([commitmentOf(assetId, account.address, registration.salt)], { account });
    await models.write.register([registration], { account });
    return assetId;
  }

  return { viem, ethers, networkHelpers, client, domain, fund, registerModel, ...people, ...contracts };
}

/** A key of a payer's client, which is not an account of the chain. */
export const sessionKey = privateKeyToAccount(keccak256("0x5e5510"));

/** The struct that `ModelRegistry.register` takes. */
export type Registration = ReturnType<typeof aRegistration>;

/** The first program of the machine's known answers, as an asset. */
export function aRegistration() {
  return {
    header: "0x0100010001000100020064000000" as Hex,
    programRoot: "0x167ae459af962596fdb835b9349fc020817dce615a0a358934c09417605dc988" as Hex,
    weightsRoot: "0xb0c0b33b8d8300953a3d59946c8bd37192a4dd80a2ea7c42504515642268bad1" as Hex,
    packageHash: sha256("0x6d616e6966657374"),
    salt: zeroHash as Hex,
    metadataUri: "ipfs://metadata",
    packageUris: ["https://models.example/package"],
    packageSizeBytes: 92_000_000n,
    licence: "Apache-2.0",
    royaltyBps: 500,
    resaleRoyaltyBps: 0,
    parents: [] as { assetId: bigint; shareBps: number }[],
    predecessor: 0n,
  };
}

/** modelId = SHA-256(02 || header || programRoot || weightsRoot). */
export const modelIdOf = ({ header, programRoot, weightsRoot }: Registration): Hex =>
  sha256(concat(["0x02", header, programRoot, weightsRoot]));

/** assetId = SHA-256(05 || modelId || packageHash), the token id. */
export const assetIdOf = (registration: Registration): bigint =>
  BigInt(sha256(concat(["0x05", modelIdOf(registration), registration.packageHash])));

export const commitmentOf = (assetId: bigint, registrant: Address, salt: Hex): Hex =>
  keccak256(
    encodeAbiParameters([{ type: "uint256" }, { type: "address" }, { type: "bytes32" }], [assetId, registrant, salt]),
  );
