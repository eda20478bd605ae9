// What a conviction did with money, as the chain has it. Amounts in base units.
import { paymentChannelsAbi, testUSDAbi } from "@foldmark/protocol/abi";
import { type Address, parseEventLogs } from "viem";
import { need, type Served, type Stage } from "./stage.ts";

/** The contract's shares of what it takes: one to the challenger, one to the payer, the rest to nobody. */
const PARTS = 4n;

const channelsOf = (stage: Stage) => ({
  address: need(stage, "chain").deployment.contracts.channels,
  abi: paymentChannelsAbi,
});

/** What a provider has at stake. */
export async function stakeOf(stage: Stage, payee: Address): Promise<bigint> {
  const { client } = need(stage, "chain");
  const query = { ...channelsOf(stage), functionName: "stakeOf", args: [payee] } as const;
  return (await client.readContract(query)).amount;
}

/** What an account holds of the settlement token. */
export function balanceOf(stage: Stage, account: Address): Promise<bigint> {
  const { client, deployment } = need(stage, "chain");
  const { token } = deployment.contracts;
  return client.readContract({ address: token, abi: testUSDAbi, functionName: "balanceOf", args: [account] });
}

/** Who was credited with what of a convicted provider's stake. @throws where there was no conviction */
export async function sharesOf(stage: Stage, payee: Address) {
  const { client, deployment } = need(stage, "chain");
  const [convicted] = await client.getContractEvents({
    ...{ ...channelsOf(stage), eventName: "Convicted", args: { payee }, strict: true },
    fromBlock: BigInt(deployment.fromBlock),
  });
  if (!convicted) throw new Error("no conviction is on the chain");
  const { taken, challenger } = convicted.args;
  const part = taken / PARTS;
  return { taken, challenger, reward: part, burnt: taken - 2n * part };
}

/** Credits whoever paid for a convicted answer with what is set aside; anybody may call it. Returns the amount. */
export async function takeCompensation(stage: Stage, { receipt }: Served): Promise<bigint> {
  const { client } = need(stage, "chain");
  const { wallet } = need(stage, "funder");
  const args = [receipt.channel] as const;
  const hash = await wallet.writeContract({ ...channelsOf(stage), functionName: "takeCompensation", args });
  const { logs } = await client.waitForTransactionReceipt({ hash });
  const [credited] = parseEventLogs({ abi: paymentChannelsAbi, logs, eventName: "CompensationCredited" });
  return credited?.args.amount ?? 0n;
}
