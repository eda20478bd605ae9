import type { Refutation } from "@foldmark/machine";
import { type Answer, FoldmarkError, type Preimage, toCompactSignature } from "@foldmark/protocol";
import { paymentChannelsAbi } from "@foldmark/protocol/abi";
import { erc20Abi, type Hex, type TransactionReceipt } from "viem";
import { chainError } from "../../chain/market.ts";
import type { Sender } from "../../chain/transact.ts";
import type { ChallengerMove, StageRecord } from "../game/challengerMove.ts";
import { type CourtReader, hexOf } from "./court.ts";

/** Gas that a move may take at most; what needs more is refused before it is sent. The largest is the protocol's own limit of a transaction. */
export const GAS_CAP = {
  approve: 100_000n,
  challenge: 600_000n,
  post: 250_000n,
  ask: 1_500_000n,
  reveal: 600_000n,
  revealLeaf: 400_000n,
  refute: 16_000_000n,
  timeout: 10_000_000n,
  takeBond: 200_000n,
  withdraw: 200_000n,
  withdrawReward: 200_000n,
} as const;
export type MoveName = keyof typeof GAS_CAP;

/** One move that is on the chain. */
export type Moved = { move: MoveName; transaction: Hex; gasUsed: bigint; fee: bigint };

/** What one key can do at the court. Every move is tried on the latest block first; one that would revert is not sent. */
export type CourtMoves = {
  /** Lets the court take the bond; undefined where it may already. @throws `chain.insufficient_funds` */
  approve(): Promise<Moved | undefined>;
  challenge(signed: { answer: Answer; signature: Hex; preimage: Preimage }): Promise<Moved>;
  post(answerDigest: Hex, traceRoot: Uint8Array): Promise<Moved>;
  reveal(id: Hex, nodes: readonly Uint8Array[]): Promise<Moved>;
  revealLeaf(id: Hex, data: Uint8Array): Promise<Moved>;
  ask(id: Hex, preimage: Preimage, ask: Extract<ChallengerMove, { kind: "ask" }>): Promise<Moved>;
  refute(id: Hex, preimage: Preimage, refutation: Refutation): Promise<Moved>;
  timeout(ids: readonly Hex[]): Promise<Moved>;
  takeBond(id: Hex): Promise<Moved>;
  /** Pays what the court has credited: bonds. */
  withdraw(): Promise<Moved>;
  /** Pays what the market has credited: rewards of convictions. */
  withdrawReward(): Promise<Moved>;
};

export function courtMoves(court: CourtReader, sender: Sender): CourtMoves {
  const { market, contract } = court;
  const { client } = market.chain;
  const account = sender.account;

  /** The gas that a move is sent with: what it takes now and a quarter. @throws `gas.too_low` above the move's cap */
  async function gasFor(move: MoveName, estimate: () => Promise<bigint>): Promise<bigint> {
    let needed: bigint;
    try {
      needed = await estimate();
    } catch (error) {
      throw chainError(error, DOING[move]);
    }
    const cap = GAS_CAP[move];
    if (needed > cap)
      throw new FoldmarkError("gas.too_low", `It takes ${needed} gas to ${DOING[move]}; at most ${cap} is allowed.`, {
        details: { move, needed: needed.toString(), cap: cap.toString() },
      });
    const ample = needed + needed / 4n;
    return ample < cap ? ample : cap;
  }

  async function send(
    move: MoveName,
    estimate: () => Promise<bigint>,
    write: (wallet: Parameters<Parameters<Sender["send"]>[1]>[0], gas: bigint) => Promise<Hex>,
  ): Promise<Moved> {
    // tried only when nothing of this account is in flight any more: what an earlier process sent may have been this move
    const sendIt: Parameters<Sender["send"]>[1] = async (wallet) => write(wallet, await gasFor(move, estimate));
    // the next look at the chain sees what a reorganisation took back, so a move need not lie deep
    return moved(move, await sender.send(DOING[move], sendIt, { confirmations: 1 }));
  }

  return {
    approve: approveBond,
    async challenge({ answer, signature, preimage }) {
      const { r, vs } = toCompactSignature(signature);
      const call = { ...contract, functionName: "challenge", args: [answer, r, vs, preimage] } as const;
      return send(
        "challenge",
        () => client.estimateContractGas({ ...call, account }),
        (wallet, gas) => wallet.writeContract({ ...call, gas }),
      );
    },
    post(answerDigest, traceRoot) {
      const call = { ...contract, functionName: "post", args: [answerDigest, hexOf(traceRoot)] } as const;
      return send(
        "post",
        () => client.estimateContractGas({ ...call, account }),
        (wallet, gas) => wallet.writeContract({ ...call, gas }),
      );
    },
    reveal(id, nodes) {
      const call = { ...contract, functionName: "reveal", args: [id, nodes.map(hexOf)] } as const;
      return send(
        "reveal",
        () => client.estimateContractGas({ ...call, account }),
        (wallet, gas) => wallet.writeContract({ ...call, gas }),
      );
    },
    revealLeaf(id, data) {
      const call = { ...contract, functionName: "revealLeaf", args: [id, hexOf(data)] } as const;
      return send(
        "revealLeaf",
        () => client.estimateContractGas({ ...call, account }),
        (wallet, gas) => wallet.writeContract({ ...call, gas }),
      );
    },
    ask(id, preimage, { child, node, path, record }) {
      const args = [id, preimage, child, hexOf(node), path.map(hexOf), recordArg(record)] as const;
      const call = { ...contract, functionName: "ask", args } as const;
      return send(
        "ask",
        () => client.estimateContractGas({ ...call, account }),
        (wallet, gas) => wallet.writeContract({ ...call, gas }),
      );
    },
    refute(id, preimage, { target, records, code, openings }) {
      const args = [
        ...([id, preimage, target, records.map(recordArg), hexOf(code)] as const),
        openings.map(({ data, siblings, ...at }) => ({ ...at, data: hexOf(data), siblings: siblings.map(hexOf) })),
      ] as const;
      const call = { ...contract, functionName: "refute", args } as const;
      return send(
        "refute",
        () => client.estimateContractGas({ ...call, account }),
        (wallet, gas) => wallet.writeContract({ ...call, gas }),
      );
    },
    timeout(ids) {
      const call = { ...contract, functionName: "timeout", args: [ids] } as const;
      return send(
        "timeout",
        () => client.estimateContractGas({ ...call, account }),
        (wallet, gas) => wallet.writeContract({ ...call, gas }),
      );
    },
    takeBond(id) {
      const call = { ...contract, functionName: "takeBond", args: [id] } as const;
      return send(
        "takeBond",
        () => client.estimateContractGas({ ...call, account }),
        (wallet, gas) => wallet.writeContract({ ...call, gas }),
      );
    },
    withdraw() {
      const call = { ...contract, functionName: "withdraw", args: [] } as const;
      return send(
        "withdraw",
        () => client.estimateContractGas({ ...call, account }),
        (wallet, gas) => wallet.writeContract({ ...call, gas }),
      );
    },
    withdrawReward() {
      const channels = { address: market.deployment.contracts.channels, abi: paymentChannelsAbi };
      const call = { ...channels, functionName: "withdraw", args: [] } as const;
      return send(
        "withdrawReward",
        () => client.estimateContractGas({ ...call, account }),
        (wallet, gas) => wallet.writeContract({ ...call, gas }),
      );
    },
  };

  /** @throws `chain.insufficient_funds` where the account does not hold the bond */
  async function approveBond(): Promise<Moved | undefined> {
    const token = { address: market.terms.token, abi: erc20Abi };
    const { bond } = court.terms;
    const owner = account.address;
    const [balance, allowance] = await Promise.all([
      client.readContract({ ...token, functionName: "balanceOf", args: [owner] }),
      client.readContract({ ...token, functionName: "allowance", args: [owner, contract.address] }),
    ]).catch((error) => {
      throw chainError(error, "read the bond's balance");
    });
    if (balance < bond)
      throw new FoldmarkError(
        "chain.insufficient_funds",
        `${owner} holds ${balance} base units, the bond is ${bond}.`,
        {
          details: { balance: balance.toString(), bond: bond.toString(), token: token.address },
          hint: "Send it the rest, then run the command again.",
        },
      );
    if (allowance >= bond) return undefined;
    const call = { ...token, functionName: "approve", args: [contract.address, bond] } as const;
    return send(
      "approve",
      () => client.estimateContractGas({ ...call, account }),
      (wallet, gas) => wallet.writeContract({ ...call, gas }),
    );
  }
}

const DOING: Record<MoveName, string> = {
  approve: "approve the bond",
  challenge: "challenge the answer",
  post: "post the trace root",
  ask: "ask for nodes",
  reveal: "reveal nodes",
  revealLeaf: "reveal a leaf",
  refute: "refute the answer",
  timeout: "end what a clock has ended",
  takeBond: "take the bond back",
  withdraw: "withdraw what the court has credited",
  withdrawReward: "withdraw the reward",
};

/** Where an ask enters no list the contract takes an empty record. */
const recordArg = (record: StageRecord | undefined) =>
  record
    ? { index: record.index, data: hexOf(record.data), path: record.path.map(hexOf) }
    : { index: 0, data: "0x" as Hex, path: [] };

const moved = (move: MoveName, receipt: TransactionReceipt): Moved => ({
  ...{ move, transaction: receipt.transactionHash, gasUsed: receipt.gasUsed },
  fee: receipt.gasUsed * receipt.effectiveGasPrice,
});
