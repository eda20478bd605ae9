import { paymentChannelsAbi, testUSDAbi } from "@foldmark/protocol/abi";
import Table from "cli-table3";
import { type Address, parseEventLogs } from "viem";
import { z } from "zod";
import { foldmark } from "../foldmark.ts";
import { need, type Stage } from "../stage.ts";
import type { StepResult } from "../story.ts";
import type { Progress } from "../terminal.ts";
import { dollars } from "./model.ts";

const redeemData = z.object({
  redemptions: z.array(z.object({ gasUsed: z.coerce.bigint(), total: z.coerce.bigint() })),
});

type Received = { name: string; address: Address; answers: number; held: bigint; gas: bigint };

/** Vouchers are redeemed: the provider's part is held while its answers can be challenged, the model's goes to its owner. */
export async function settlementStep(stage: Stage, progress: Progress): Promise<StepResult> {
  const { client, deployment } = need(stage, "chain");
  const { channels, token } = deployment.contracts;
  const contract = { address: channels, abi: paymentChannelsAbi } as const;

  const rows: Received[] = [];
  for (const { name, folder, address } of stage.providers) {
    progress.say(`${name} redeems`);
    const { redemptions } = redeemData.parse(await foldmark(folder, ["redeem"]));
    const [held, ready] = await client.readContract({ ...contract, functionName: "incomeOf", args: [address] });
    const answers = stage.answers.filter(({ receipt }) => receipt.answer.payee === address).length;
    const gas = redemptions.reduce((sum, { gasUsed }) => sum + gasUsed, 0n);
    rows.push({ name, address, answers, held: held + ready, gas });
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
  const owed = sums.deposited - sums.redeemed + sums.staked + received;
  const problems = [
    received !== sums.redeemed && `${sums.redeemed} base units were redeemed, ${received} received`,
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

/** What the contract's own events say went in and was redeemed. */
async function eventSums(stage: Stage): Promise<{ deposited: bigint; redeemed: bigint; staked: bigint }> {
  const { client, deployment } = need(stage, "chain");
  const raw = await client.getLogs({ address: deployment.contracts.channels, fromBlock: BigInt(deployment.fromBlock) });
  const sums = { deposited: 0n, redeemed: 0n, staked: 0n };
  for (const { eventName, args } of parseEventLogs({ abi: paymentChannelsAbi, logs: raw })) {
    if (eventName === "Deposited") sums.deposited += args.amount;
    if (eventName === "Redeemed") sums.redeemed += args.amount;
    if (eventName === "Staked") sums.staked += args.amount;
  }
  return sums;
}
