import { encodeHeader, type Program, readElement, type Trace, traceInMemory } from "@foldmark/machine";
import { claimedRoot, programRoot, requestRoot, weightsRoot } from "@foldmark/machine/commitments";
import { type ForgedLeaf, forge } from "@foldmark/machine/testing";
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
import { createLogger } from "@foldmark/service";
import { bytesToHex, numberToHex } from "viem";
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";
import { littleEndian, secondProgram } from "../../machine/test/support/knownPrograms.ts";
import { connectMarket, type Market } from "../src/chain/market.ts";
import { type Sender, senderOf } from "../src/chain/transact.ts";
import { openCourt } from "../src/disputes/court/court.ts";
import { courtMoves } from "../src/disputes/court/courtMoves.ts";
import { Player } from "../src/disputes/player.ts";
import type { DisputeTrace } from "../src/disputes/traces/disputeTrace.ts";
import { localTrace } from "../src/disputes/traces/localTrace.ts";
import type { TreeSource } from "../src/disputes/tree/treeSource.ts";
import { openChain } from "./chain.ts";

export const log = createLogger({ name: "node", level: "error" });
const STAKE = 200_000_000n;

/** A job of the second known program, whose statement is true: every order, a loop, a history of several leaves. */
export function aTrueJob(T = 50) {
  const program = secondProgram();
  const constants = [littleEndian(2, [300, -200, 100, -50, 125, 7])];
  const source = (index: number) => constants[index] ?? new Uint8Array();
  const request = [littleEndian(8, [-5, 3])];
  const blank = traceInMemory(program, source, { T, request, claimed: [new Uint8Array(4 * T)] });
  const answers = Array.from({ length: T }, (_, t) =>
    Number(readElement("i64", blank.leaf({ stage: 3, fold: 1, t }, 0), 1)),
  );
  const job = { T, request, claimed: [littleEndian(4, answers)] };
  return { program, constants: source, job, honest: traceInMemory(program, source, job) };
}

export type Job = ReturnType<typeof aTrueJob>;

/** The same job with another claim: its last stage is not 1 at this step. */
export function aFalseJob({ at = 17, T = 50 } = {}): Job {
  const { program, constants, job } = aTrueJob(T);
  const claimed = job.claimed[0]?.slice() ?? new Uint8Array();
  claimed[at * 4] = (claimed[at * 4] ?? 0) ^ 1;
  const lie = { ...job, claimed: [claimed] };
  return { program, constants, job: lie, honest: traceInMemory(program, constants, lie) };
}

/** The trace of a liar: its own last stage says 1 everywhere, and whatever else it changes. */
export function forgedTrace({ program, honest, job }: Job, changes: readonly ForgedLeaf[] = []): Trace {
  const last = program.stages.length - 1;
  const ones = new Uint8Array(job.T).fill(1);
  return forge(honest, {
    program,
    changes: [...changes, { of: { stage: last, fold: 0, t: 0 }, index: 0, bytes: ones }],
  });
}

export const traceOf = ({ program, constants, job }: Job, trace: Trace): DisputeTrace =>
  localTrace(trace, { program, constants, job });

/** A chain with a market and its court, a payee with a stake, and keys that challenge. */
export async function openDisputes() {
  const chain = await openChain();
  const market = await connectMarket({ rpc: [chain.url], deployment: chain.deployment });
  const court = await openCourt(market);
  const payee = await aKey(1);
  const key = { payee, sender: senderOf(market, payee) };
  const { token, channels } = chain.deployment.contracts;
  await give(payee, STAKE);
  await key.sender.send("approve", (wallet) =>
    wallet.writeContract({ address: token, abi: testUSDAbi, functionName: "approve", args: [channels, STAKE] }),
  );
  await key.sender.send("stake", (wallet) =>
    wallet.writeContract({ address: channels, abi: paymentChannelsAbi, functionName: "stake", args: [STAKE] }),
  );

  async function aKey(n: number): Promise<PrivateKeyAccount> {
    const account = privateKeyToAccount(numberToHex(0xa000 + n, { size: 32 }));
    await chain.fund(account.address);
    return account;
  }
  async function give(to: PrivateKeyAccount, amount: bigint): Promise<void> {
    const { account } = chain.payer;
    const args = [to.address, amount] as const;
    await chain.payer.writeContract({ address: token, abi: testUSDAbi, functionName: "mint", args, account });
  }

  return {
    ...{ chain, market, court, payee },
    /** An answer of the payee to a job, as it signs it. */
    async answer(job: Job, n = 1) {
      const domain = domainOf(market.deployment);
      const preimage = preimageOf(job);
      const { timestamp } = await chain.client.getBlock();
      const answer: Answer = {
        ...{ payee: payee.address, statementId: statementIdOf(preimage), until: timestamp + 600n },
        channelId: toChannelId(numberToHex(n, { size: 32 })),
        ...{ maxClaimableAmount: baseUnits(5n), charged: baseUnits(5n) },
      };
      const signature = await signAnswer(payee, domain, answer);
      return { answer, signature, preimage, job, digest: answerDigest(domain, answer) };
    },
    /** Somebody with a bond to lose. */
    async challenger(n = 2) {
      const account = await aKey(n);
      await give(account, 10_000_000n);
      const sender = senderOf(market, account);
      return { account, sender, moves: courtMoves(court, sender) };
    },
    payeeSender: key.sender,
    payeeMoves: courtMoves(court, key.sender),
    async [Symbol.asyncDispose]() {
      await chain.close();
    },
  };
}

export type Disputes = Awaited<ReturnType<typeof openDisputes>>;
export type Signed = Awaited<ReturnType<Disputes["answer"]>>;

export function preimageOf({ program, constants, job }: Job): Preimage {
  const weights = program.constants.map((_, index) => constants(index));
  const hash = (bytes: Uint8Array) => toHash(bytesToHex(bytes));
  return {
    ...{ header: bytesToHex(encodeHeader(program)), programRoot: hash(programRoot(program)), T: job.T },
    ...{ weightsRoot: hash(weightsRoot(weights)), requestRoot: hash(requestRoot(job.request)) },
    claimedRoot: hash(claimedRoot(job.claimed)),
  };
}

type SeatOptions = { own: DisputeTrace; signed: Signed; id: `0x${string}`; sender: Sender; source?: TreeSource };

/** A player of either seat. */
export function aPlayer({ court }: Disputes, { own, signed, id, sender, source }: SeatOptions): Player {
  const { program } = signed.job;
  return new Player(
    { id, fromBlock: 0n, own, preimage: signed.preimage, program, source },
    { court, moves: courtMoves(court, sender), log },
  );
}

export type { Market, Program };
