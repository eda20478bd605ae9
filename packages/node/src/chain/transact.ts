import { FoldmarkError } from "@foldmark/protocol";
import type { Account, Hex, TransactionReceipt } from "viem";
import { chainError, type Market } from "./market.ts";

/** Sends one transaction at a time for one account, and says what became of it. */
export type Sender = {
  readonly account: Account;
  /**
   * Sends what `write` sends and waits for the market's confirmations.
   * @throws `chain.reverted` with the contract's error by name, `chain.insufficient_funds`, `chain.unreachable`
   */
  send(
    doing: string,
    write: (wallet: ReturnType<Market["chain"]["walletOf"]>) => Promise<Hex>,
  ): Promise<TransactionReceipt>;
};

export function senderOf({ chain }: Market, account: Account): Sender {
  const wallet = chain.walletOf(account);
  let last: Promise<unknown> = Promise.resolve();
  async function transact(doing: string, write: (to: typeof wallet) => Promise<Hex>): Promise<TransactionReceipt> {
    try {
      const hash = await write(wallet);
      const receipt = await chain.client.waitForTransactionReceipt({ hash, confirmations: chain.confirmations });
      if (receipt.status === "success") return receipt;
      throw new FoldmarkError("chain.reverted", `The transaction to ${doing} failed: ${hash}.`, { details: { hash } });
    } catch (error) {
      throw chainError(error, doing);
    }
  }
  return {
    account,
    send(doing, write) {
      // one after the other: two at once would take the same nonce
      const next = last.then(() => transact(doing, write));
      last = next.catch(() => undefined);
      return next;
    },
  };
}
