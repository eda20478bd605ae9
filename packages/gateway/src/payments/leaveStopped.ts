import type { Hex } from "viem";
import { forgetStopped, stoppedChannels } from "../store/ledgers.ts";
import type { Database } from "../store/open.ts";
import type { Deposits } from "./deposits.ts";
import type { Payer } from "./payer.ts";

export type LeaveDeps = {
  salt: Hex;
  payer: Pick<Payer, "channelOf">;
  deposits: Pick<Deposits, "leave">;
  chainNow: bigint;
};

/** Gets back the deposits of channels on which nothing is signed any more; called again and again until they are empty. */
export async function leaveStopped(db: Database, { salt, payer, deposits, chainNow }: LeaveDeps): Promise<void> {
  for (const { payee, asset } of await stoppedChannels(db, salt)) {
    const { channel, id } = payer.channelOf({ payee, asset });
    if (await deposits.leave(channel, id, chainNow)) await forgetStopped(db, id);
  }
}
