import { z } from "zod";
import type { Database } from "./open.ts";
import type { Sealing } from "./sealing.ts";

/** An answer as it was sent. */
const storedSchema = z.strictObject({
  status: z.int(),
  headers: z.record(z.string(), z.string()),
  body: z.string(),
});
export type StoredResponse = z.infer<typeof storedSchema>;

/** What is known of a key: `new` (it is this request's now), `running`, answered, or used for another body. */
export type Claim = { status: "new" | "running" | "conflict" } | { status: "answered"; response: StoredResponse };

/** Names a request by its caller and the caller's own key: nobody reads another one's answers. */
export type IdempotencyId = { keyId: string; idempotencyKey: string };

const contextOf = ({ keyId, idempotencyKey }: IdempotencyId): string => `idempotency ${keyId} ${idempotencyKey}`;

/** Takes a key for a request, or says what has become of it. */
export async function claimKey(
  db: Database,
  id: IdempotencyId,
  { bodyHash, gateway, sealing, nowMs }: { bodyHash: string; gateway: string; sealing: Sealing; nowMs: number },
): Promise<Claim> {
  const inserted = await db
    .insertInto("idempotency")
    .values({
      key_id: id.keyId,
      idempotency_key: id.idempotencyKey,
      body_hash: bodyHash,
      gateway,
      answer: null,
      created_at: BigInt(nowMs),
    })
    .onConflict((conflict) => conflict.columns(["key_id", "idempotency_key"]).doNothing())
    .returning("key_id")
    .executeTakeFirst();
  if (inserted) return { status: "new" };
  const row = await rowOf(db, id).selectAll().executeTakeFirst();
  if (!row) return { status: "running" }; // it failed a moment ago: the next try may have the key
  if (row.body_hash !== bodyHash) return { status: "conflict" };
  if (!row.answer) return { status: "running" };
  const plain = Buffer.from(sealing.open(row.answer, contextOf(id))).toString("utf8");
  return { status: "answered", response: storedSchema.parse(JSON.parse(plain)) };
}

export async function storeResponse(
  db: Database,
  id: IdempotencyId,
  { response, sealing }: { response: StoredResponse; sealing: Sealing },
): Promise<void> {
  const answer = sealing.seal(Buffer.from(JSON.stringify(response)), contextOf(id));
  await db
    .updateTable("idempotency")
    .set({ answer })
    .where("key_id", "=", id.keyId)
    .where("idempotency_key", "=", id.idempotencyKey)
    .execute();
}

/** Gives a key back: its request has no answer, so another try may. */
export async function releaseKey(db: Database, id: IdempotencyId): Promise<void> {
  await db
    .deleteFrom("idempotency")
    .where("key_id", "=", id.keyId)
    .where("idempotency_key", "=", id.idempotencyKey)
    .execute();
}

/** After a crash: keys of requests that this gateway had running. */
export async function releaseRunningKeys(db: Database, gateway: string): Promise<void> {
  await db.deleteFrom("idempotency").where("gateway", "=", gateway).where("answer", "is", null).execute();
}

export async function deleteOldKeys(db: Database, { beforeMs }: { beforeMs: number }): Promise<void> {
  await db.deleteFrom("idempotency").where("created_at", "<", BigInt(beforeMs)).execute();
}

const rowOf = (db: Database, { keyId, idempotencyKey }: IdempotencyId) =>
  db.selectFrom("idempotency").where("key_id", "=", keyId).where("idempotency_key", "=", idempotencyKey);
