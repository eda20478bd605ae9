import { readFile } from "node:fs/promises";
import { type BaseUnits, baseUnits, type Deployment, FoldmarkError, parseDeployment } from "@foldmark/protocol";
import { paymentChannelsAbi, providerRegistryAbi } from "@foldmark/protocol/abi";
import { type ChainConnection, checkDeployment, connectChain } from "@foldmark/service";
import { type Address, BaseError, ContractFunctionRevertedError, InsufficientFundsError } from "viem";
import type { MarketTerms } from "./marketView.ts";

/** The contracts on one chain, reached. */
export type Market = { deployment: Deployment; chain: ChainConnection; terms: MarketTerms };

export type MarketOptions = { rpc: readonly string[]; deployment: Deployment; confirmations?: number | undefined };

/** @throws `config.unreadable`, `deployment.malformed` */
export async function readDeployment(file: string): Promise<Deployment> {
  const text = await readFile(file, "utf8").catch((cause) => {
    throw new FoldmarkError("config.unreadable", `The deployment file ${file} cannot be read.`, {
      details: { file },
      hint: "Run `foldmark init --deployment FILE` with the file that came with the market; it is remembered.",
      cause,
    });
  });
  return parseDeployment(text);
}

/** @throws `chain.unreachable`, `chain.wrong_id`, `chain.no_contract` */
export async function connectMarket({ rpc, deployment, confirmations }: MarketOptions): Promise<Market> {
  const { chainId, contracts } = deployment;
  const chain = await connectChain({ rpc, chainId, ...(confirmations === undefined ? {} : { confirmations }) });
  await checkDeployment(chain, deployment);
  const address = contracts.channels;
  const read = (functionName: "WINDOW" | "CLOCKS" | "NOTICE" | "PENALTY") =>
    chain.client.readContract({ address, abi: paymentChannelsAbi, functionName });
  const [windowSeconds, clocksSeconds, noticeSeconds, penalty, token] = await Promise.all([
    read("WINDOW"),
    read("CLOCKS"),
    read("NOTICE"),
    read("PENALTY"),
    chain.client.readContract({ address, abi: paymentChannelsAbi, functionName: "token" }),
  ]);
  return {
    ...{ deployment, chain },
    terms: { token, windowSeconds, clocksSeconds, noticeSeconds, penalty: baseUnits(penalty) },
  };
}

/** A provider as the registry has it; `undefined` before it registers. */
export async function readProvider({ chain, deployment }: Market, payee: Address) {
  try {
    return await chain.client.readContract({
      ...{ address: deployment.contracts.providers, abi: providerRegistryAbi },
      ...{ functionName: "providerOf", args: [payee] },
    });
  } catch (error) {
    if (revertOf(error)?.name === "NotRegistered") return undefined;
    throw error;
  }
}

/** An offer as the registry has it; `undefined` where there is none. */
export async function readOffer({ chain, deployment }: Market, { payee, asset }: { payee: Address; asset: bigint }) {
  try {
    return await chain.client.readContract({
      ...{ address: deployment.contracts.providers, abi: providerRegistryAbi },
      ...{ functionName: "offerOf", args: [payee, asset] },
    });
  } catch (error) {
    if (revertOf(error)?.name === "UnknownOffer") return undefined;
    throw error;
  }
}

export async function readStake(
  { chain, deployment }: Market,
  payee: Address,
): Promise<{ amount: BaseUnits; unbonding: BaseUnits }> {
  const { amount, unbonding } = await chain.client.readContract({
    ...{ address: deployment.contracts.channels, abi: paymentChannelsAbi, functionName: "stakeOf", args: [payee] },
  });
  return { amount: baseUnits(amount), unbonding: baseUnits(unbonding) };
}

/** The custom error with which a contract refused, if that is what happened. */
export function revertOf(error: unknown): { name: string; args: readonly unknown[] } | undefined {
  if (!(error instanceof BaseError)) return undefined;
  const reverted = error.walk((inner) => inner instanceof ContractFunctionRevertedError);
  if (!(reverted instanceof ContractFunctionRevertedError) || !reverted.data) return undefined;
  return { name: reverted.data.errorName, args: reverted.data.args ?? [] };
}

/** What the chain or its RPC endpoint did, as one of our errors; what is none of viem's passes as it is. */
export function chainError(error: unknown, doing: string): unknown {
  if (!(error instanceof BaseError)) return error;
  const reverted = revertOf(error);
  if (reverted)
    return new FoldmarkError(
      "chain.reverted",
      `The contract refused to ${doing}: ${reverted.name}(${reverted.args.join(", ")}).`,
      {
        details: { error: reverted.name, args: reverted.args.map(String) },
        cause: error,
      },
    );
  if (error.walk((inner) => inner instanceof InsufficientFundsError))
    return new FoldmarkError("chain.insufficient_funds", `The account cannot pay the gas to ${doing}.`, {
      hint: "Send it some of the chain's own currency.",
      cause: error,
    });
  return new FoldmarkError(
    "chain.unreachable",
    `The chain did not answer when asked to ${doing}: ${error.shortMessage}`,
    {
      hint: "Check the RPC address, and try again.",
      cause: error,
    },
  );
}
