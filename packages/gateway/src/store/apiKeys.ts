import { createHash, randomBytes } from "node:crypto";
import { type BaseUnits, FoldmarkError } from "@foldmark/protocol";
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
    .values({
      id,
      hash: sha256(key),
      name,
      budget,
      spent: 0n,
      reserved: 0n,
      created_at: BigInt(nowMs),
      revoked_at: null,
    })
    .execute();
  return { id, key };
}

/** Keys in the order in which they were made. */
export async function listApiKeys(db: Database): Promise<ApiKeyInfo[]> {
  const rows = await db.selectFrom("api_keys").selectAll().orderBy("created_at").execute();
  return rows.map(({ id, name, budget, spent, reserved, created_at, revoked_at }) => ({
    id,
    name,
    budget,
    spent,
    reserved,
    createdAt: new Date(Number(created_at)),
    revoked: revoked_at !== null,
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
 * Sets aside the most that a request can cost; a second time for the same request, that much more. One statement on one
 * row, so that requests at once, at any number of gateways, cannot take the same money twice.
 * @throws `budget.exhausted` where budget - spent - reserved is less; nothing is changed then
 */
export async function reserve(db: Database, { requestId, keyId, gateway, amount }: Reservation): Promise<void> {
  const { rows } = await sql`
    with taken as (
      update api_keys set reserved = reserved + ${amount}::numeric
      where id = ${keyId} and budget - spent - reserved >= ${amount}::numeric
      returning id
    )
    insert into reservations (request_id, key_id, gateway, amount)
    select ${requestId}::text, id, ${gateway}::text, ${amount}::numeric from taken
    returning key_id`.execute(db);
  if (rows.length > 0) return;
  const key = await db.selectFrom("api_keys").selectAll().where("id", "=", keyId).executeTakeFirstOrThrow();
  const left = key.budget - key.spent - key.reserved;
  const shown = left < 0n ? 0n : left;
  throw new FoldmarkError(
    "budget.exhausted",
    `This request can cost up to ${amount} base units, the key has ${shown} left.`,
    {
      details: { needed: amount.toString(), left: shown.toString() },
      hint: "Lower max_completion_tokens, or use a key with a larger budget.",
    },
  );
}

/** Ends what is set aside for a request, and books what it did cost. Doing it twice books nothing more. */
export async function settle(db: Database, { requestId, cost }: { requestId: string; cost: BaseUnits }): Promise<void> {
  await sql`
    with ended as (delete from reservations where request_id = ${requestId} returning key_id, amount),
    total as (select key_id, sum(amount) as amount from ended group by key_id)
    update api_keys set reserved = reserved - total.amount, spent = spent + ${cost}::numeric
    from total where api_keys.id = total.key_id`.execute(db);
}

/** After a crash: requests that this gateway had running cost their callers nothing. */
export async function releaseReservations(db: Database, gateway: string): Promise<void> {
  await sql`
    with ended as (delete from reservations where gateway = ${gateway} returning key_id, amount),
    total as (select key_id, sum(amount) as amount from ended group by key_id)
    update api_keys set reserved = reserved - total.amount
    from total where api_keys.id = total.key_id`.execute(db);
}
