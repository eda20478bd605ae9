import { createHash, randomBytes } from "node:crypto";
import { type BaseUnits, baseUnits, FoldmarkError } from "@foldmark/protocol";
import { sql } from "kysely";
import type { Database } from "./open.ts";

/** A caller: the account is SHA-256 of its key, which is also what routing is computed from. */
export type Caller = { keyId: string; account: `0x${string}` };

export type ApiKeyInfo = {
  id: string;
  name: string;
  budget: bigint;
  spent: bigint;
  reserved: bigint;
  createdAt: Date;
  revoked: boolean;
};

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Makes a key of 256 random bits with a budget in base units. The key is in the answer and nowhere else. */
export async function createApiKey(
  db: Database,
  { name, budget, nowMs }: { name: string; budget: BaseUnits; nowMs: number },
): Promise<{ id: string; key: string }> {
  const key = `sk-${randomBytes(32).toString("base64url")}`;
  const id = `key_${randomBytes(8).toString("hex")}`;
  await db
    .insertInto("api_keys")
    .values({ id, hash: sha256(key), name, budget, spent: 0n, created_at: BigInt(nowMs), revoked_at: null })
    .execute();
  return { id, key };
}

/** Keys in the order in which they were made. */
export async function listApiKeys(db: Database): Promise<ApiKeyInfo[]> {
  const rows = await db
    .selectFrom("api_keys")
    .selectAll()
    .select((eb) =>
      eb
        .selectFrom("reservations")
        .select(sql<bigint>`coalesce(sum(amount), 0)`.as("sum"))
        .whereRef("reservations.key_id", "=", "api_keys.id")
        .as("reserved"),
    )
    .orderBy("created_at")
    .execute();
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    budget: row.budget,
    spent: row.spent,
    reserved: row.reserved ?? 0n,
    createdAt: new Date(Number(row.created_at)),
    revoked: row.revoked_at !== null,
  }));
}

/** From now on the key is unknown to callers. Returns whether there was such a key in use. */
export async function revokeApiKey(db: Database, { id, nowMs }: { id: string; nowMs: number }): Promise<boolean> {
  const revoked = await db
    .updateTable("api_keys")
    .set({ revoked_at: BigInt(nowMs) })
    .where("id", "=", id)
    .where("revoked_at", "is", null)
    .returning("id")
    .executeTakeFirst();
  return revoked !== undefined;
}

/** Who a key belongs to, or undefined. Looked up by its hash, so that comparing it takes no secret-dependent time. */
export async function findCaller(db: Database, key: string): Promise<Caller | undefined> {
  const hash = sha256(key);
  const row = await db
    .selectFrom("api_keys")
    .select("id")
    .where("hash", "=", hash)
    .where("revoked_at", "is", null)
    .executeTakeFirst();
  return row && { keyId: row.id, account: `0x${hash}` };
}

export type Reservation = { requestId: string; keyId: string; gateway: string; amount: BaseUnits };

/**
 * Sets aside the most that a request can cost; a second time for the same request it is the new amount that counts.
 * @throws `budget.exhausted` where budget - spent - reserved is less; nothing is changed then
 */
export async function reserve(db: Database, reservation: Reservation): Promise<void> {
  const { requestId, keyId, gateway, amount } = reservation;
  await db.transaction().execute(async (trx) => {
    // the row lock makes the sum below safe against other gateways on the same database
    const key = await trx
      .selectFrom("api_keys")
      .select(["budget", "spent"])
      .where("id", "=", keyId)
      .forUpdate()
      .executeTakeFirstOrThrow();
    const { sum } = await trx
      .selectFrom("reservations")
      .select(sql<bigint>`coalesce(sum(amount), 0)`.as("sum"))
      .where("key_id", "=", keyId)
      .where("request_id", "!=", requestId)
      .executeTakeFirstOrThrow();
    const left = key.budget - key.spent - sum;
    if (left < amount)
      throw new FoldmarkError(
        "budget.exhausted",
        `This request can cost up to ${amount} base units, the key has ${left < 0n ? 0n : left} left.`,
        {
          details: { needed: amount.toString(), left: (left < 0n ? 0n : left).toString() },
          hint: "Lower max_completion_tokens, or use a key with a larger budget.",
        },
      );
    await trx
      .insertInto("reservations")
      .values({ request_id: requestId, key_id: keyId, gateway, amount })
      .onConflict((conflict) => conflict.column("request_id").doUpdateSet({ amount }))
      .execute();
  });
}

/** Ends a reservation and books what the request did cost. Doing it twice books nothing more. */
export async function settle(db: Database, { requestId, cost }: { requestId: string; cost: BaseUnits }): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const ended = await trx
      .deleteFrom("reservations")
      .where("request_id", "=", requestId)
      .returning("key_id")
      .executeTakeFirst();
    if (!ended || cost === 0n) return;
    await trx
      .updateTable("api_keys")
      .set((eb) => ({ spent: eb("spent", "+", baseUnits(cost)) }))
      .where("id", "=", ended.key_id)
      .execute();
  });
}

/** After a crash: requests that this gateway had running cost their callers nothing. */
export async function releaseReservations(db: Database, gateway: string): Promise<void> {
  await db.deleteFrom("reservations").where("gateway", "=", gateway).execute();
}
