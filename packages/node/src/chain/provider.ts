import {
  type AssetId,
  assetIdToUint,
  type BaseUnits,
  baseUnits,
  FoldmarkError,
  formatAmount,
} from "@foldmark/protocol";
import { paymentChannelsAbi, providerRegistryAbi, testUSDAbi } from "@foldmark/protocol/abi";
import type { Hardware } from "../hardware/measure.ts";
import { type Market, readOffer, readProvider, readStake } from "./market.ts";
import type { Sender } from "./transact.ts";

/** Chain on which the token is a toy that anybody may mint. */
const LOCAL_CHAIN = 31337;

/** Prices of an offer in base units for 10^6 prompt tokens, answer tokens, or steps. */
export type OfferTerms = { priceIn: BaseUnits; priceOut: BaseUnits; priceUnit: BaseUnits; capacity: number };

/**
 * Registers the sender as a provider, or brings endpoint and hardware up to date. Does nothing when the registry says the
 * same already, but for the measurement: a speed is written when there is none yet, then left alone.
 */
export async function registerProvider(
  market: Market,
  sender: Sender,
  { endpoint, hardware }: { endpoint: string; hardware: Hardware },
): Promise<"registered" | "updated" | "unchanged"> {
  const known = await readProvider(market, sender.account.address);
  const contract = { address: market.deployment.contracts.providers, abi: providerRegistryAbi };
  const args = [endpoint, hardwareStruct(hardware)] as const;
  if (!known) {
    await sender.send("register the provider", (wallet) =>
      wallet.writeContract({ ...contract, functionName: "register", args }),
    );
    return "registered";
  }
  const { kind, device, memoryBytes, decodeMilliTokensPerSecond } = args[1];
  const same =
    known.endpoint === endpoint &&
    known.hardware.kind === kind &&
    known.hardware.device === device &&
    known.hardware.memoryBytes === memoryBytes &&
    (known.hardware.decodeMilliTokensPerSecond > 0 || decodeMilliTokensPerSecond === 0);
  if (same) return "unchanged";
  await sender.send("update the provider", (wallet) =>
    wallet.writeContract({ ...contract, functionName: "update", args }),
  );
  return "updated";
}

/** Moves a registered provider to another endpoint and leaves its hardware as it is. */
export async function updateEndpoint(
  market: Market,
  sender: Sender,
  endpoint: string,
): Promise<"updated" | "unchanged"> {
  const known = await readProvider(market, sender.account.address);
  if (!known)
    throw new FoldmarkError("config.invalid", `The provider ${sender.account.address} is not registered.`, {
      hint: "Run `foldmark init`.",
    });
  if (known.endpoint === endpoint) return "unchanged";
  await sender.send("update the endpoint", (wallet) =>
    wallet.writeContract({
      ...{ address: market.deployment.contracts.providers, abi: providerRegistryAbi },
      ...{ functionName: "update", args: [endpoint, known.hardware] },
    }),
  );
  return "updated";
}

/** What a payee asks for a model at present; `undefined` where it asks nothing yet. */
export async function publishedTerms(
  market: Market,
  at: { payee: `0x${string}`; asset: AssetId },
): Promise<OfferTerms | undefined> {
  const offer = await readOffer(market, { payee: at.payee, asset: assetIdToUint(at.asset) });
  if (!offer) return undefined;
  const { priceIn, priceOut, priceUnit, capacity } = offer;
  return { priceIn: baseUnits(priceIn), priceOut: baseUnits(priceOut), priceUnit: baseUnits(priceUnit), capacity };
}

/** Publishes prices for a model of the sender, or of the payee whose operator it is. */
export async function publishOffer(
  market: Market,
  sender: Sender,
  { payee, asset, terms }: { payee: `0x${string}`; asset: AssetId; terms: OfferTerms },
): Promise<"published" | "unchanged"> {
  const model = assetIdToUint(asset);
  const known = await readOffer(market, { payee, asset: model });
  const offer = { ...terms, assurance: EXACT, mode: AHEAD };
  const isSame = known && Object.entries(offer).every(([name, value]) => known[name as keyof typeof offer] === value);
  if (isSame) return "unchanged";
  await sender.send("publish the offer", (wallet) =>
    wallet.writeContract({
      ...{ address: market.deployment.contracts.providers, abi: providerRegistryAbi },
      ...{ functionName: "setOffer", args: [payee, model, offer] },
    }),
  );
  return "published";
}
const EXACT = 0;
const AHEAD = 0;

/** Raises the sender's stake to `wanted`; what is unbonding does not count. */
export async function stakeUpTo(market: Market, sender: Sender, wanted: BaseUnits): Promise<BaseUnits> {
  const { amount, unbonding } = await readStake(market, sender.account.address);
  const bound = amount - unbonding;
  if (bound >= wanted) return baseUnits(0n);
  return addStake(market, sender, baseUnits(wanted - bound));
}

/**
 * Stakes from the sender's balance of the settlement token. On a local chain, whose token is a toy, what is missing is
 * minted.
 * @throws `chain.insufficient_funds` when the balance does not cover it
 */
export async function addStake(market: Market, sender: Sender, amount: BaseUnits): Promise<BaseUnits> {
  const { token } = market.terms;
  const { channels } = market.deployment.contracts;
  const owner = sender.account.address;
  const read = { address: token, abi: testUSDAbi };
  const [balance, allowance] = await Promise.all([
    market.chain.client.readContract({ ...read, functionName: "balanceOf", args: [owner] }),
    market.chain.client.readContract({ ...read, functionName: "allowance", args: [owner, channels] }),
  ]);
  if (balance < amount) {
    if (market.deployment.chainId !== LOCAL_CHAIN)
      throw new FoldmarkError(
        "chain.insufficient_funds",
        `${owner} holds ${formatAmount(balance)} of the settlement token, the stake needs ${formatAmount(amount)}.`,
        {
          details: { balance: balance.toString(), needed: amount.toString(), token },
          hint: "Send it the rest, then run the command again.",
        },
      );
    await sender.send("mint test tokens", (wallet) =>
      wallet.writeContract({ ...read, functionName: "mint", args: [owner, amount - balance] }),
    );
  }
  if (allowance < amount)
    await sender.send("approve the stake", (wallet) =>
      wallet.writeContract({ ...read, functionName: "approve", args: [channels, amount] }),
    );
  await sender.send("stake", (wallet) =>
    wallet.writeContract({ address: channels, abi: paymentChannelsAbi, functionName: "stake", args: [amount] }),
  );
  return amount;
}

const hardwareStruct = ({ kind, device, memoryBytes, tokensPerSecond, measuredAt }: Hardware) => ({
  kind: kind === "gpu" ? 0 : 1,
  device,
  memoryBytes: BigInt(memoryBytes),
  decodeMilliTokensPerSecond: Math.min(0xffff_ffff, Math.round(tokensPerSecond * 1000)),
  measuredAt: BigInt(measuredAt),
});
