import { FoldmarkError } from "@foldmark/protocol";
import type { Account, Hex, TransactionReceipt } from "viem";
import { clearOfOlder, type Resending, settled } from "./inFlight.ts";
import { chainError, type Market } from "./market.ts";

/** Sends one transaction at a time for one account, and says what became of it. */
export type Sender = {
  readonly account: Account;
  /**
   * Sends what `write` sends and waits for `confirmations`, by default the market's. What is not mined in time is sent
   * again at the same nonce with a higher fee.
   * @throws `chain.reverted` with the contract's error by name, `chain.insufficient_funds`, `chain.unreachable`
   */
  send(
    doing: string,
    write: (wallet: ReturnType<Market["chain"]["walletOf"]>) => Promise<Hex>,
    options?: { confirmations?: number },
  ): Promise<TransactionReceipt>;
};

export function senderOf({ chain }: Market, account: Account, resending: Resending = {}): Sender {
  const wallet = chain.walletOf(account);
  let last: Promise<unknown> = Promise.resolve();
  async function transact(
    doing: string,
    write: (to: typeof wallet) => Promise<Hex>,
    confirmations: number,
  ): Promise<TransactionReceipt> {
    try {
      await clearOfOlder({ chain, wallet }, resending);
      const receipt = await settled(await write(wallet), { chain, wallet }, { ...resending, doing, confirmations });
      if (receipt.status === "success") return receipt;
      const hash = receipt.transactionHash;
      throw new FoldmarkError("chain.reverted", `The transaction to ${doing} failed: ${hash}.`, { details: { hash } });
    } catch (error) {
      throw chainError(error, doing);
    }
  }
  return {
    account,
    send(doing, write, { confirmations = chain.confirmations } = {}) {
      // one after the other: two at once would take the same nonce
      const next = last.then(() => transact(doing, write, confirmations));
      last = next.catch(() => undefined);
      return next;
    },
  };
}
