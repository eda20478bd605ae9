// The only process of the story that uses a key of the local chain's own, which everybody knows: it hands out gas and
// test dollars.
import { testUSDAbi } from "@foldmark/protocol/abi";
import { type Address, createWalletClient, http, parseEther } from "viem";
import { mnemonicToAccount } from "viem/accounts";
import { hardhat } from "viem/chains";
import type { Chain } from "./steps/chain.ts";

const LOCAL_MNEMONIC = "test test test test test test test test test test test junk";

export type Funder = {
  address: Address;
  /** Sends gas, and test dollars in base units. */
  fund(address: Address, dollars: bigint): Promise<void>;
  /** The wallet itself, for what anyone may call. */
  wallet: ReturnType<typeof walletOf>;
};

const walletOf = (rpc: string) =>
  createWalletClient({ account: mnemonicToAccount(LOCAL_MNEMONIC), chain: hardhat, transport: http(rpc) });

export function openFunder({ rpc, client, deployment }: Chain): Funder {
  const wallet = walletOf(rpc);
  let last: Promise<unknown> = Promise.resolve();
  return {
    address: wallet.account.address,
    wallet,
    async fund(address, dollars) {
      const { token } = deployment.contracts;
      // one after the other: transactions of one account are numbered
      const sent = last.then(async () => {
        const args = [address, dollars] as const;
        const gas = await wallet.sendTransaction({ to: address, value: parseEther("10") });
        const mint = await wallet.writeContract({ address: token, abi: testUSDAbi, functionName: "mint", args });
        return [gas, mint];
      });
      last = sent.catch(() => undefined);
      for (const hash of await sent) await client.waitForTransactionReceipt({ hash });
    },
  };
}
