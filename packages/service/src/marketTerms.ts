import { type BaseUnits, baseUnits, type CourtTerms, type Deployment } from "@foldmark/protocol";
import { paymentChannelsAbi } from "@foldmark/protocol/abi";
import type { Address } from "viem";
import type { ChainClient } from "./chain.ts";

/** The deployment's constants; they never change. Seconds are of chain time. */
export type MarketTerms = CourtTerms & {
  token: Address;
  clocksSeconds: bigint;
  noticeSeconds: bigint;
  penalty: BaseUnits;
};

export async function readMarketTerms(client: ChainClient, { contracts }: Deployment): Promise<MarketTerms> {
  const contract = { address: contracts.channels, abi: paymentChannelsAbi } as const;
  const [token, window, clocks, hold, notice, penalty] = await Promise.all([
    client.readContract({ ...contract, functionName: "token" }),
    client.readContract({ ...contract, functionName: "WINDOW" }),
    client.readContract({ ...contract, functionName: "CLOCKS" }),
    client.readContract({ ...contract, functionName: "HOLD" }),
    client.readContract({ ...contract, functionName: "NOTICE" }),
    client.readContract({ ...contract, functionName: "PENALTY" }),
  ]);
  return {
    token,
    windowSeconds: BigInt(window),
    clocksSeconds: BigInt(clocks),
    holdSeconds: BigInt(hold),
    noticeSeconds: BigInt(notice),
    penalty: baseUnits(penalty),
  };
}
