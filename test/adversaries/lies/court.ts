// How the programs of this folder reach market and court, each key with what it needs.
import { readFileSync } from "node:fs";
import { type Job, programBytes } from "@foldmark/machine";
import { claimedRoot, leafHash, listRoot, requestRoot, weightsRoot } from "@foldmark/machine/commitments";
import { connectMarket, courtMoves, openCourt, senderOf } from "@foldmark/node";
import { type Deployment, type Preimage, toHash } from "@foldmark/protocol";
import { paymentChannelsAbi, testUSDAbi } from "@foldmark/protocol/abi";
import { createTestClient, http, keccak256, toHex } from "viem";
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import type { Model } from "./models.ts";

/** Base units: twice what an eligible payee holds at least. */
export const STAKE = 160_000_000n;
const PURSE = 10n ** 20n;

export const keyOf = (name: string): PrivateKeyAccount => privateKeyToAccount(keccak256(toHex(`lies: ${name}`)));

/** The name of the key with which somebody challenges an answer. */
export const challengersKey = (name: string, answer: { name: string }): string => `${name} of ${answer.name}`;

export type Courtroom = Awaited<ReturnType<typeof openCourtroom>>;

/** The market of a local chain, seen by programs that hold keys of their own. */
export async function openCourtroom({ rpc, deployment }: { rpc: string; deployment: Deployment }) {
  const market = await connectMarket({ rpc: [rpc], deployment });
  const court = await openCourt(market);
  const faucet = createTestClient({ mode: "anvil", transport: http(rpc) });
  const { token, channels } = deployment.contracts;

  /** A key with gas, and with what it can send. */
  async function person(name: string) {
    const account = keyOf(name);
    await faucet.setBalance({ address: account.address, value: PURSE });
    const sender = senderOf(market, account);
    return {
      ...{ account, sender, moves: courtMoves(court, sender) },
      mint: (amount: bigint) =>
        sender.send("mint", (wallet) =>
          wallet.writeContract({
            address: token,
            abi: testUSDAbi,
            functionName: "mint",
            args: [account.address, amount],
          }),
        ),
      approve: (amount: bigint) =>
        sender.send("approve", (wallet) =>
          wallet.writeContract({ address: token, abi: testUSDAbi, functionName: "approve", args: [channels, amount] }),
        ),
      async stake(amount = STAKE) {
        await this.mint(amount);
        await this.approve(amount);
        await sender.send("stake", (wallet) =>
          wallet.writeContract({ address: channels, abi: paymentChannelsAbi, functionName: "stake", args: [amount] }),
        );
      },
      startUnbond: (amount: bigint) =>
        sender.send("start to unbond", (wallet) =>
          wallet.writeContract({
            ...{ address: channels, abi: paymentChannelsAbi, functionName: "startUnbond", args: [amount] },
          }),
        ),
      finishUnbond: () =>
        sender.send("finish to unbond", (wallet) =>
          wallet.writeContract({ address: channels, abi: paymentChannelsAbi, functionName: "finishUnbond" }),
        ),
      /** Pays somebody for the use of a model, in base units. */
      async pay(payee: `0x${string}`, { model, amount }: { model: bigint; amount: bigint }) {
        await this.approve(amount);
        await sender.send("pay", (wallet) =>
          wallet.writeContract({
            ...{ address: channels, abi: paymentChannelsAbi, functionName: "pay", args: [payee, model, amount] },
          }),
        );
      },
      setOperator: (key: `0x${string}`, isAllowed: boolean) =>
        sender.send("set an operator", (wallet) =>
          wallet.writeContract({
            ...{ address: channels, abi: paymentChannelsAbi, functionName: "setOperator", args: [key, isAllowed] },
          }),
        ),
    };
  }
  const answerableUntil = (payee: `0x${string}`, key: `0x${string}`) =>
    market.chain.client.readContract({
      ...{ address: channels, abi: paymentChannelsAbi, functionName: "answerableUntil", args: [payee, key] },
    });
  return { market, court, person, answerableUntil };
}
export type Person = Awaited<ReturnType<Courtroom["person"]>>;

/** What a statement is made of. */
export function preimageOf({ program, constants }: Model, job: Job, bytes = programBytes(program)): Preimage {
  const hash = (data: Uint8Array) => toHash(toHex(data));
  return {
    ...{ header: toHex(bytes.header), programRoot: hash(listRoot(bytes.records.map(leafHash))), T: job.T },
    ...{ weightsRoot: hash(weightsRoot(constants)), requestRoot: hash(requestRoot(job.request)) },
    claimedRoot: hash(claimedRoot(job.claimed)),
  };
}

/** What a program of this folder was started for: the JSON file that its only argument names. */
export function readOrder<Order>(): Order {
  return JSON.parse(readFileSync(process.argv[2] ?? "", "utf8"));
}

/** One line of a program's output. */
export function say(line: object): void {
  console.log(JSON.stringify(line, (_, value) => (typeof value === "bigint" ? value.toString() : value)));
}
