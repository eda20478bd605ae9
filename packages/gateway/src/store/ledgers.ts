import {
  type AssetId,
  type BaseUnits,
  baseUnits,
  type ChannelId,
  openPayerLedger,
  type PayerLedger,
} from "@foldmark/protocol";
import type { Address, Hex } from "viem";
import type { Database } from "./open.ts";

/** A channel as the store knows it. */
export type ChannelRecord = {
  id: ChannelId;
  payee: Address;
  asset: AssetId;
  salt: Hex;
  stopped: string | null;
  ledger: PayerLedger;
};

export type VoucherRecord = { ceiling: BaseUnits; maximum: BaseUnits; signature: Hex; evidence: Uint8Array };

/** Reads a channel, or begins its record from what has been redeemed on chain. */
export async function openChannelRecord(
  db: Database,
  channel: Omit<ChannelRecord, "ledger" | "stopped">,
  { redeemed, nowMs }: { redeemed: () => Promise<BaseUnits>; nowMs: number },
): Promise<ChannelRecord> {
  const known = await findChannelRecord(db, channel.id);
  if (known) return known;
  const { sum, largestCharged, lastCeiling } = openPayerLedger({ redeemed: await redeemed() });
  await db
    .insertInto("channels")
    .values({
      id: channel.id,
      payee: channel.payee,
      asset: channel.asset,
      salt: channel.salt,
      sum,
      largest_charged: largestCharged,
      last_ceiling: lastCeiling,
      stopped: null,
      is_empty: false,
      created_at: BigInt(nowMs),
    })
    .onConflict((conflict) => conflict.column("id").doNothing())
    .execute();
  const record = await findChannelRecord(db, channel.id);
  if (!record) throw new Error(`channel ${channel.id} was not stored`);
  return record;
}

export async function findChannelRecord(db: Database, id: ChannelId): Promise<ChannelRecord | undefined> {
  const row = await db.selectFrom("channels").selectAll().where("id", "=", id).executeTakeFirst();
  if (!row) return undefined;
  const inFlight = await db
    .selectFrom("vouchers")
    .select(["ceiling", "maximum"])
    .where("channel_id", "=", id)
    .where("state", "=", "in_flight")
    .orderBy("ceiling")
    .execute();
  return {
    id,
    payee: row.payee as Address,
    asset: row.asset as AssetId,
    salt: row.salt as Hex,
    stopped: row.stopped,
    ledger: {
      sum: baseUnits(row.sum),
      largestCharged: baseUnits(row.largest_charged),
      lastCeiling: baseUnits(row.last_ceiling),
      inFlight: inFlight.map(({ ceiling, maximum }) => ({
        ceiling: baseUnits(ceiling),
        maximum: baseUnits(maximum),
      })),
    },
  };
}

/** Stores a voucher together with the ledger that it led to. Await it before the voucher is sent. */
export async function storeVoucher(
  db: Database,
  id: ChannelId,
  { voucher, ledger, nowMs }: { voucher: VoucherRecord; ledger: PayerLedger; nowMs: number },
): Promise<void> {
  await db
    .with("stored", (statement) =>
      statement.insertInto("vouchers").values({
        channel_id: id,
        ceiling: voucher.ceiling,
        signature: voucher.signature,
        maximum: voucher.maximum,
        state: "in_flight",
        evidence: voucher.evidence,
        created_at: BigInt(nowMs),
      }),
    )
    .updateTable("channels")
    .set(columnsOf(ledger))
    .where("id", "=", id)
    .execute();
}

/** Ends a voucher, with the ledger that follows from how it ended. */
export async function closeVoucher(
  db: Database,
  id: ChannelId,
  { ceiling, state, ledger }: { ceiling: BaseUnits; state: "answered" | "none"; ledger: PayerLedger },
): Promise<void> {
  await db
    .with("closed", (statement) =>
      statement
        .updateTable("vouchers")
        .set({ state, evidence: null })
        .where("channel_id", "=", id)
        .where("ceiling", "=", ceiling),
    )
    .updateTable("channels")
    .set(columnsOf(ledger))
    .where("id", "=", id)
    .execute();
}

export async function storeLedger(db: Database, id: ChannelId, ledger: PayerLedger): Promise<void> {
  await db.updateTable("channels").set(columnsOf(ledger)).where("id", "=", id).execute();
}

/** The requests in flight are rows of their own. */
const columnsOf = ({ sum, largestCharged, lastCeiling }: PayerLedger) => ({
  sum,
  largest_charged: largestCharged,
  last_ceiling: lastCeiling,
});

/** From now on no voucher is signed on this channel. */
export async function stopChannel(db: Database, id: ChannelId, reason: string): Promise<void> {
  await db.updateTable("channels").set({ stopped: reason }).where("id", "=", id).where("stopped", "is", null).execute();
}

/** Stopped channels of one gateway that may still hold money of its own. */
export async function stoppedChannels(db: Database, salt: Hex): Promise<{ payee: Address; asset: AssetId }[]> {
  const rows = await db
    .selectFrom("channels")
    .select(["payee", "asset"])
    .where("salt", "=", salt)
    .where("stopped", "is not", null)
    .where("is_empty", "=", false)
    .execute();
  return rows.map(({ payee, asset }) => ({ payee: payee as Address, asset: asset as AssetId }));
}

/** Nothing of a stopped channel's deposit is left. */
export async function forgetStopped(db: Database, id: ChannelId): Promise<void> {
  await db.updateTable("channels").set({ is_empty: true }).where("id", "=", id).execute();
}

/** Vouchers of one gateway's channels that are out without a known end, oldest first. */
export async function vouchersInFlight(db: Database, salt: Hex) {
  return db
    .selectFrom("vouchers")
    .innerJoin("channels", "channels.id", "vouchers.channel_id")
    .select(["vouchers.channel_id as channelId", "vouchers.ceiling", "vouchers.signature", "vouchers.maximum"])
    .select(["vouchers.evidence", "channels.payee", "channels.asset"])
    .where("channels.salt", "=", salt)
    .where("vouchers.state", "=", "in_flight")
    .orderBy("vouchers.created_at")
    .execute();
}
