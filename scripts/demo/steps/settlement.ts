import { isSameAddress } from "@foldmark/protocol";
import { paymentChannelsAbi, testUSDAbi } from "@foldmark/protocol/abi";
import Table from "cli-table3";
import { type Address, parseEventLogs } from "viem";
import { foldmark } from "../foldmark.ts";
import { need, type Stage } from "../stage.ts";
import type { StepResult } from "../story.ts";
import type { Progress } from "../terminal.ts";
import { dollars } from "./model.ts";

type Received = { name: string; address: Address; answers: number; held: bigint; gas: bigint };

/** Vouchers are redeemed: the provider's part is held while its answers can be challenged, the model's goes to its owner. */
export async function settlementStep(stage: Stage, progress: Progress): Promise<StepResult> {
  const { client, deployment } = need(stage, "chain");
  const { channels, token } = deployment.contracts;
  const contract = { address: channels, abi: paymentChannelsAbi } as const;

  progress.say("every provider redeems");
  await Promise.all(stage.providers.map(({ folder }) => foldmark(folder, ["redeem"])));
  const rows: Received[] = [];
  for (const { name, address } of stage.providers) {
    const [held, ready] = await client.readContract({ ...contract, functionName: "incomeOf", args: [address] });
    const answers = stage.answers.filter(({ receipt }) => receipt.answer.payee === address).length;
    rows.push({ name, address, answers, held: held + ready, gas: await redeemingGas(stage, address) });
  }
  progress.say("paying the models' owner");
  const owner = need(stage, "owner").address;
  const { wallet } = need(stage, "funder");
  for (const model of [need(stage, "chat"), need(stage, "simulation")]) {
    const assetId = BigInt(model.assetId);
    if ((await client.readContract({ ...contract, functionName: "modelIncomeOf", args: [assetId] })) === 0n) continue;
    const hash = await wallet.writeContract({ ...contract, functionName: "takeModelIncome", args: [assetId] });
    await client.waitForTransactionReceipt({ hash });
  }
  const royalty = await client.readContract({ ...contract, functionName: "creditOf", args: [owner] });

  const sums = await eventSums(stage);
  const paid = stage.answers.reduce((sum, { receipt }) => sum + receipt.price, 0n);
  const received = rows.reduce((sum, { held }) => sum + held, 0n) + royalty;
  const balance = await client.readContract({
    address: token,
    abi: testUSDAbi,
    functionName: "balanceOf",
    args: [channels],
  });
  const owed = sums.deposited - sums.redeemed + sums.staked - sums.withdrawn + received + sums.burntIncome;
  const problems = [
    received + sums.burntIncome !== sums.redeemed && `${sums.redeemed} base units were redeemed, ${received} received`,
    paid > sums.redeemed && `the receipts say ${paid} base units, ${sums.redeemed} were redeemed`,
    balance !== owed && `the contract holds ${balance} base units and owes ${owed}`,
  ].filter((problem) => problem !== false);
  if (problems.length > 0) throw new Error(problems.join("; "));

  const answers = stage.answers.length;
  const gas = rows.reduce((sum, row) => sum + row.gas, 0n);
  const gasPerAnswer = Number(gas) / answers;
  const table = new Table({
    head: ["who", "answers", "received", "gas of redeeming"],
    style: { head: [], border: [] },
  });
  for (const row of rows) table.push([row.name, row.answers, `${dollars(row.held)} (held)`, row.gas.toString()]);
  table.push(["model owner", "", `${dollars(royalty)} (royalty)`, ""]);
  table.push(["together", answers, dollars(received), gas.toString()]);
  return {
    lines: [
      ...table.toString().split("\n"),
      `the receipts add up to ${dollars(paid)}; the contract's balance equals what it owes, to the unit`,
      `gas for each answer: ${gasPerAnswer.toFixed(0)} (few answers on each voucher here; it falls with their number)`,
    ],
    figures: {
      gasPerAnswer,
      conserved: true,
      answers,
      paid: paid.toString(),
      received: received.toString(),
      royalty: royalty.toString(),
      providers: Object.fromEntries(
        rows.map(({ name, answers, held, gas }) => [name, { answers, held: held.toString(), gas: gas.toString() }]),
      ),
    },
  };
}

/** Gas of every redemption of a provider: in time a node sends them by itself. */
async function redeemingGas(stage: Stage, payee: Address): Promise<bigint> {
  const { client, deployment } = need(stage, "chain");
  const events = await client.getContractEvents({
    ...{ address: deployment.contracts.channels, abi: paymentChannelsAbi, eventName: "Redeemed" },
    fromBlock: BigInt(deployment.fromBlock),
  });
  const hashes = new Set(events.map(({ transactionHash }) => transactionHash));
  const receipts = await Promise.all([...hashes].map((hash) => client.getTransactionReceipt({ hash })));
  return receipts.reduce((sum, { from, gasUsed }) => (isSameAddress(from, payee) ? sum + gasUsed : sum), 0n);
}

/**
 * What the contract's own events say went in, out, and from payers to payees. What convictions took of a stake is still the
 * contract's but for what was withdrawn; what they took of held income is nobody's.
 */
async function eventSums(stage: Stage) {
  const { client, deployment } = need(stage, "chain");
  const raw = await client.getLogs({ address: deployment.contracts.channels, fromBlock: BigInt(deployment.fromBlock) });
  const sums = { deposited: 0n, redeemed: 0n, staked: 0n, withdrawn: 0n, burntIncome: 0n };
  for (const { eventName, args } of parseEventLogs({ abi: paymentChannelsAbi, logs: raw })) {
    if (eventName === "Deposited") sums.deposited += args.amount;
    if (eventName === "Redeemed") sums.redeemed += args.amount;
    if (eventName === "Staked") sums.staked += args.amount;
    if (eventName === "CreditWithdrawn") sums.withdrawn += args.amount;
    if (eventName === "Convicted") sums.burntIncome += args.burnt - (args.taken - 2n * (args.taken / 4n));
  }
  return sums;
}
