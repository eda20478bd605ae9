import { type ChannelId, type ChannelState, totalReserved } from "@foldmark/protocol";
import type { ChannelFunds } from "../chain/marketView.ts";
import type { Ledger } from "../store/ledger.ts";

/** What this node and the chain know of a channel. */
export function channelState(channelId: ChannelId, funds: ChannelFunds, ledger: Ledger): ChannelState {
  const account = ledger.channel(channelId);
  const { charged, reserved } = { charged: funds.redeemed, reserved: [], ...account?.ledger };
  return {
    channelId,
    ...funds,
    charged,
    reserved: totalReserved({ charged, reserved, highestCeiling: charged }),
    ...(account && {
      highest: { maxClaimableAmount: account.highest.ceiling, signature: account.highest.signature },
    }),
  };
}
