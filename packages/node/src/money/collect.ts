import { type BaseUnits, baseUnits } from "@foldmark/protocol";
import { paymentChannelsAbi } from "@foldmark/protocol/abi";
import { type Address, type Hex, parseEventLogs } from "viem";
import type { Market } from "../chain/market.ts";
import type { Sender } from "../chain/transact.ts";

/** Income of a payee: `held` still answers for its answers, `ready` can be collected. */
export type PayeeIncome = { held: BaseUnits; ready: BaseUnits };

export async function readIncome({ chain, deployment }: Market, payee: Address): Promise<PayeeIncome> {
  const [held, ready] = await chain.client.readContract({
    ...{ address: deployment.contracts.channels, abi: paymentChannelsAbi, functionName: "incomeOf", args: [payee] },
  });
  return { held: baseUnits(held), ready: baseUnits(ready) };
}

/** Pays the payee what has left the hold; sends nothing where nothing has. */
export async function collectIncome(
  market: Market,
  sender: Sender,
  payee: Address,
): Promise<{ collected: BaseUnits; transaction?: Hex }> {
  const { ready } = await readIncome(market, payee);
  if (ready === 0n) return { collected: ready };
  const receipt = await sender.send("collect income", (wallet) =>
    wallet.writeContract({
      ...{ address: market.deployment.contracts.channels, abi: paymentChannelsAbi },
      ...{ functionName: "collect", args: [payee] },
    }),
  );
  const [event] = parseEventLogs({ abi: paymentChannelsAbi, eventName: "Collected", logs: receipt.logs });
  return { collected: baseUnits(event?.args.amount ?? 0n), transaction: receipt.transactionHash };
}
