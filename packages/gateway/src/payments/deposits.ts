import { type BaseUnits, baseUnits, type Channel, type ChannelId, FoldmarkError } from "@foldmark/protocol";
import { paymentChannelsAbi, testUSDAbi } from "@foldmark/protocol/abi";
import type { Account, Address, Chain, Hex, PublicClient, Transport, WalletClient } from "viem";
import type { Mutex } from "./mutex.ts";

export type DepositsOptions = {
  channels: Address;
  token: Address;
  /** What a channel is opened with, and the least of a top-up. */
  deposit: BaseUnits;
  confirmations: number;
};

export type DepositsDeps = {
  publicClient: PublicClient;
  wallet: WalletClient<Transport, Chain | undefined, Account>;
  mutex: Mutex;
  now: () => number;
};

/** The gateway's money on the chain. */
export type Deposits = {
  /**
   * Makes the channel's deposit, without what is leaving it, at least `ceiling`: opens it or tops it up.
   * Returns when that was done last (milliseconds), which providers may see later than we.
   * @throws `chain.insufficient_funds`, `chain.reverted`, `chain.unreachable`
   */
  cover(channel: Channel, id: ChannelId, ceiling: BaseUnits): Promise<number | undefined>;
  /** What has been redeemed from the channel. */
  redeemed(id: ChannelId): Promise<BaseUnits>;
  /**
   * Takes one step towards getting a channel's deposit back: gives notice, or, once the notice has passed, takes out what
   * is left. What was promised can be redeemed until then. Returns whether there is nothing left to do.
   */
  leave(channel: Channel, id: ChannelId, chainNow: bigint): Promise<boolean>;
};

export function openDeposits(options: DepositsOptions, { publicClient, wallet, mutex, now }: DepositsDeps): Deposits {
  const { channels, token, deposit, confirmations } = options;
  const covered = new Map<ChannelId, bigint>();
  const depositedAt = new Map<ChannelId, number>();
  const at = { address: channels, abi: paymentChannelsAbi } as const;

  async function available(id: ChannelId): Promise<bigint> {
    const [balance, exit] = await Promise.all([
      publicClient.readContract({ ...at, functionName: "balanceOf", args: [id] }),
      publicClient.readContract({ ...at, functionName: "exitOf", args: [id] }),
    ]);
    return balance.deposit > exit.amount ? balance.deposit - exit.amount : 0n;
  }

  async function mined(send: () => Promise<Hex>): Promise<void> {
    const hash = await send();
    const { status } = await publicClient.waitForTransactionReceipt({ hash, confirmations });
    if (status === "reverted")
      throw new FoldmarkError("chain.reverted", "A payment transaction was reverted.", { details: { hash } });
  }

  async function bring(channel: Channel, amount: bigint): Promise<void> {
    const { address } = wallet.account;
    const balance = await publicClient.readContract({
      address: token,
      abi: testUSDAbi,
      functionName: "balanceOf",
      args: [address],
    });
    if (balance < amount)
      throw new FoldmarkError(
        "chain.insufficient_funds",
        `The gateway has ${balance} base units, a deposit needs ${amount}.`,
        {
          details: { balance: balance.toString(), needed: amount.toString() },
          hint: `Send tokens to ${address}.`,
        },
      );
    const allowance = await publicClient.readContract({
      address: token,
      abi: testUSDAbi,
      functionName: "allowance",
      args: [address, channels],
    });
    if (allowance < amount)
      await mined(() =>
        wallet.writeContract({
          address: token,
          abi: testUSDAbi,
          functionName: "approve",
          args: [channels, amount],
          chain: null,
        }),
      );
    await mined(() => wallet.writeContract({ ...at, functionName: "deposit", args: [channel, amount], chain: null }));
  }

  return {
    async cover(channel, id, ceiling) {
      if ((covered.get(id) ?? 0n) >= ceiling) return depositedAt.get(id);
      // one transaction of this account at a time: nonces follow each other
      const release = await mutex.take("wallet");
      try {
        const have = await available(id);
        const missing = ceiling - have;
        if (missing > 0n) {
          // twice what is missing, so that a busy channel is topped up ever less often
          const amount = missing * 2n > deposit ? missing * 2n : deposit;
          await bring(channel, amount);
          covered.set(id, have + amount);
          depositedAt.set(id, now());
        } else covered.set(id, have);
        return depositedAt.get(id);
      } catch (cause) {
        if (cause instanceof FoldmarkError) throw cause;
        throw new FoldmarkError("chain.unreachable", "The deposit could not be made.", { cause });
      } finally {
        release();
      }
    },
    async redeemed(id) {
      const balance = await publicClient.readContract({ ...at, functionName: "balanceOf", args: [id] });
      return baseUnits(balance.redeemed);
    },
    async leave(channel, id, chainNow) {
      const release = await mutex.take("wallet");
      covered.delete(id);
      try {
        const { deposit: whole, redeemed } = await publicClient.readContract({
          ...at,
          functionName: "balanceOf",
          args: [id],
        });
        if (whole === redeemed) return true;
        const exit = await publicClient.readContract({ ...at, functionName: "exitOf", args: [id] });
        if (exit.amount === 0n)
          await mined(() =>
            wallet.writeContract({ ...at, functionName: "startExit", args: [channel, whole], chain: null }),
          );
        else if (BigInt(exit.readyAt) <= chainNow)
          await mined(() => wallet.writeContract({ ...at, functionName: "finishExit", args: [channel], chain: null }));
        return false;
      } finally {
        release();
      }
    },
  };
}
