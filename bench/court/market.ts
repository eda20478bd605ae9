import { spawnSync } from "node:child_process";
import { encodeHeader, type Job, type Program } from "@foldmark/machine";
import { claimedRoot, programRoot, requestRoot, weightsRoot } from "@foldmark/machine/commitments";
import {
  type Answer,
  answerDigest,
  baseUnits,
  domainOf,
  type Preimage,
  signAnswer,
  statementIdOf,
  toChannelId,
  toHash,
} from "@foldmark/protocol";
import { paymentChannelsAbi, testUSDAbi } from "@foldmark/protocol/abi";
import hre from "hardhat";
import { type Address, bytesToHex, type Hex, maxUint256, numberToHex } from "viem";
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { connectMarket } from "../../packages/node/src/chain/market.ts";
import { type Sender, senderOf } from "../../packages/node/src/chain/transact.ts";
import { type CourtReader, openCourt } from "../../packages/node/src/disputes/court/court.ts";
import { type CourtMoves, courtMoves } from "../../packages/node/src/disputes/court/courtMoves.ts";
import { openChain } from "../../packages/node/test/chain.ts";
import { isProductionBuild } from "../../test/support/productionBuild.ts";

/** Enough for a thousand convictions. */
const STAKE = 10_000_000_000n;
const BONDS = 1_000_000_000n;

export type Seat = { account: PrivateKeyAccount; sender: Sender; moves: CourtMoves };
export type SignedAnswer = { answer: Answer; signature: Hex; preimage: Preimage; digest: Hex };
export type BenchMarket = Awaited<ReturnType<typeof openBenchMarket>>;

/** A chain in this process with the market that is deployed, a payee with a stake, and a challenger with bonds. */
export async function openBenchMarket() {
  if (!(await isProductionBuild().catch(() => false))) {
    build();
    await hre.artifacts.clearCache();
  }
  const chain = await openChain();
  const market = await connectMarket({ rpc: [chain.url], deployment: chain.deployment });
  const court: CourtReader = await openCourt(market);
  const { token, channels } = chain.deployment.contracts;

  async function seat(n: number, { amount, spender }: { amount: bigint; spender: Address }): Promise<Seat> {
    const account = privateKeyToAccount(numberToHex(0xb000 + n, { size: 32 }));
    const sender = senderOf(market, account);
    await chain.fund(account.address);
    const coins = { address: token, abi: testUSDAbi } as const;
    await sender.send("mint", (wallet) =>
      wallet.writeContract({ ...coins, functionName: "mint", args: [account.address, amount] }),
    );
    await sender.send("approve", (wallet) =>
      wallet.writeContract({ ...coins, functionName: "approve", args: [spender, maxUint256] }),
    );
    return { account, sender, moves: courtMoves(court, sender) };
  }
  const payee = await seat(1, { amount: STAKE, spender: channels });
  await payee.sender.send("stake", (wallet) =>
    wallet.writeContract({ address: channels, abi: paymentChannelsAbi, functionName: "stake", args: [STAKE] }),
  );
  const challenger = await seat(2, { amount: BONDS, spender: court.contract.address });

  let answers = 0;
  return {
    ...{ chain, court, payee, challenger },
    /** Another answer of the payee with this statement, as it signs it. */
    async answer(preimage: Preimage): Promise<SignedAnswer> {
      const domain = domainOf(market.deployment);
      const { timestamp } = await chain.client.getBlock();
      const answer: Answer = {
        ...{ payee: payee.account.address, statementId: statementIdOf(preimage), until: timestamp + 600n },
        channelId: toChannelId(numberToHex(++answers, { size: 32 })),
        ...{ maxClaimableAmount: baseUnits(5n), charged: baseUnits(5n) },
      };
      const signature = await signAnswer(payee.account, domain, answer);
      return { answer, signature, preimage, digest: answerDigest(domain, answer) };
    },
    [Symbol.asyncDispose]: () => chain.close(),
  };
}

export function preimageOf({
  program,
  constants,
  job,
}: {
  program: Program;
  constants: readonly Uint8Array[];
  job: Job;
}): Preimage {
  const hash = (bytes: Uint8Array) => toHash(bytesToHex(bytes));
  return {
    ...{ header: bytesToHex(encodeHeader(program)), programRoot: hash(programRoot(program)), T: job.T },
    ...{ weightsRoot: hash(weightsRoot(constants)), requestRoot: hash(requestRoot(job.request)) },
    claimedRoot: hash(claimedRoot(job.claimed)),
  };
}

/** Gas is that of the bytecode which is deployed. */
function build(): void {
  const args = ["build", "--build-profile", "production", "--no-tests"];
  const { status } = spawnSync("hardhat", args, {
    stdio: ["ignore", "ignore", "inherit"],
    shell: process.platform === "win32",
  });
  if (status !== 0) throw new Error("the contracts could not be built");
}
