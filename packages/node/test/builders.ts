import { baseUnits, toChannelId } from "@foldmark/protocol";
import type { AcceptedVoucher, LedgerOwner } from "../src/store/ledger.ts";
import { sealedBox } from "../src/store/sealedBox.ts";

export const OWNER: LedgerOwner = {
  payee: "0x00000000000000000000000000000000000000aa",
  chainId: 31337,
  channels: "0x00000000000000000000000000000000000000bb",
};

export const aBox = () => sealedBox(new Uint8Array(32).fill(7));

export const aChannelId = (n = 1) => toChannelId(`0x${n.toString(16).padStart(64, "0")}`);

/** A voucher of channel 1 for `ceiling`; what a test is about goes into `changes`. */
export function aVoucher(ceiling: bigint, changes: Partial<AcceptedVoucher> = {}): AcceptedVoucher {
  return {
    channelId: aChannelId(),
    terms: {
      payer: "0x0000000000000000000000000000000000000001",
      signer: "0x0000000000000000000000000000000000000002",
      payee: OWNER.payee,
      model: 17n,
      salt: `0x${"00".repeat(32)}`,
    },
    ceiling: baseUnits(ceiling),
    signature: `0x${"ab".repeat(65)}`,
    maximum: baseUnits(ceiling),
    redeemed: baseUnits(0n),
    ...changes,
  };
}
