import { FoldmarkError } from "@foldmark/protocol";
import type { ChainConnection, ChainWallet } from "@foldmark/service";
import {
  type Hex,
  type Transaction,
  TransactionNotFoundError,
  type TransactionReceipt,
  TransactionReceiptNotFoundError,
} from "viem";

/** What is done about transactions that nobody mines. */
export type Resending = {
  /** How long a transaction may wait before it is sent again with a higher fee. */
  stuckMs?: number;
  /** Wei for one gas that are never exceeded. */
  maxFeePerGas?: bigint;
  onResend?: (sent: { doing: string; nonce: number; hash: Hex; maxFeePerGas: bigint }) => void;
};

type Via = { chain: ChainConnection; wallet: ChainWallet };

const STUCK_MS = 60_000;
/** 500 gwei: more than the base fee of the busiest days. */
const MAX_FEE_PER_GAS = 500_000_000_000n;
/** Nodes take a replacement from a tenth more on. */
const RAISE_PERCENT = 130n;

/**
 * Waits for the receipt of a transaction, or of one that took its place, at so many confirmations. One that is stuck, or
 * that a reorganisation has dropped, is sent again at its own nonce: at most one of them is ever mined.
 */
export async function settled(
  hash: Hex,
  { chain, wallet }: Via,
  options: Resending & { doing: string; confirmations: number },
): Promise<TransactionReceipt> {
  const { doing, confirmations, stuckMs = STUCK_MS, onResend } = options;
  const sent = [hash];
  let known = await transactionOf(chain, hash);
  let since = performance.now();
  for (;;) {
    for (const each of sent) {
      const receipt = await receiptOf(chain, each);
      if (!receipt) continue;
      const head = await chain.client.getBlockNumber();
      if (head - receipt.blockNumber + 1n >= BigInt(confirmations)) return receipt;
      since = performance.now();
    }
    known ??= await transactionOf(chain, sent.at(-1) ?? hash);
    if (known && performance.now() - since > stuckMs) {
      await refuseTaken(known.nonce, { chain, wallet, doing, sent });
      const again = await sendAgain(known, { chain, wallet }, options);
      if (again) {
        sent.push(again.hash);
        onResend?.({ doing, nonce: known.nonce, ...again });
        known = (await transactionOf(chain, again.hash)) ?? known;
      }
      since = performance.now();
    }
    await pause(chain.client.pollingInterval);
  }
}

/**
 * Waits until nothing that an earlier process sent is in flight: what is sent next would only queue up behind it. After a
 * while an empty transaction takes its place.
 */
export async function clearOfOlder({ chain, wallet }: Via, { stuckMs = STUCK_MS, ...fees }: Resending): Promise<void> {
  const { address } = wallet.account;
  const since = performance.now();
  let offered = 0n;
  for (;;) {
    const [mined, pending] = await Promise.all([
      chain.client.getTransactionCount({ address, blockTag: "latest" }),
      chain.client.getTransactionCount({ address, blockTag: "pending" }),
    ]);
    if (pending <= mined) return;
    if (performance.now() - since > stuckMs) {
      const fee = await feesAbove(chain, { maxFeePerGas: offered, maxPriorityFeePerGas: offered }, fees);
      if (fee && fee.maxFeePerGas > offered) {
        offered = fee.maxFeePerGas;
        await wallet.sendTransaction({ to: address, value: 0n, nonce: mined, gas: 21_000n, ...fee }).catch((error) => {
          if (!isUnderpriced(error)) throw error;
        });
      }
    }
    await pause(chain.client.pollingInterval);
  }
}

async function sendAgain(
  { nonce, to, input, value, gas, maxFeePerGas, maxPriorityFeePerGas, gasPrice }: Transaction,
  { chain, wallet }: Via,
  options: Resending,
): Promise<{ hash: Hex; maxFeePerGas: bigint } | undefined> {
  const before = {
    maxFeePerGas: maxFeePerGas ?? gasPrice ?? 0n,
    maxPriorityFeePerGas: maxPriorityFeePerGas ?? gasPrice ?? 0n,
  };
  const fees = await feesAbove(chain, before, options);
  if (!fees) return undefined;
  try {
    const hash = await wallet.sendTransaction({ to, data: input, value, nonce, gas, ...fees });
    return { hash, maxFeePerGas: fees.maxFeePerGas };
  } catch (error) {
    if (isUnderpriced(error) || isNonceUsed(error)) return undefined; // it has just been mined, or somebody offered more
    throw error;
  }
}

/** Fees that replace others, at least what the chain asks now; undefined where that is above the limit. */
async function feesAbove(
  { client }: ChainConnection,
  before: { maxFeePerGas: bigint; maxPriorityFeePerGas: bigint },
  { maxFeePerGas: limit = MAX_FEE_PER_GAS }: Resending,
): Promise<{ maxFeePerGas: bigint; maxPriorityFeePerGas: bigint } | undefined> {
  const now = await client.estimateFeesPerGas();
  const raised = (value: bigint) => (value * RAISE_PERCENT) / 100n + 1n;
  const larger = (a: bigint, b: bigint) => (a > b ? a : b);
  const maxFeePerGas = larger(raised(before.maxFeePerGas), now.maxFeePerGas);
  if (maxFeePerGas > limit) return undefined;
  return {
    maxFeePerGas,
    maxPriorityFeePerGas: larger(raised(before.maxPriorityFeePerGas), now.maxPriorityFeePerGas),
  };
}

/** @throws `chain.reverted` where another transaction of this account was mined at the nonce */
async function refuseTaken(
  nonce: number,
  { chain, wallet, doing, sent }: Via & { doing: string; sent: readonly Hex[] },
): Promise<void> {
  const mined = await chain.client.getTransactionCount({ address: wallet.account.address, blockTag: "latest" });
  if (mined <= nonce) return;
  for (const hash of sent) if (await receiptOf(chain, hash)) return;
  throw new FoldmarkError("chain.reverted", `Another transaction took the place of the one to ${doing}.`, {
    details: { nonce, sent: [...sent] },
    hint: "Is the same key used by another process?",
  });
}

const transactionOf = ({ client }: ChainConnection, hash: Hex): Promise<Transaction | undefined> =>
  client.getTransaction({ hash }).catch((error) => {
    if (error instanceof TransactionNotFoundError) return undefined;
    throw error;
  });

const receiptOf = ({ client }: ChainConnection, hash: Hex): Promise<TransactionReceipt | undefined> =>
  client.getTransactionReceipt({ hash }).catch((error) => {
    if (error instanceof TransactionReceiptNotFoundError) return undefined;
    throw error;
  });

const isUnderpriced = (error: unknown) => /underpriced|fee too low|already known/i.test(String(error));
const isNonceUsed = (error: unknown) => /nonce too low|nonce has already been used/i.test(String(error));

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
