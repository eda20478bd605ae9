import {
  type Answer,
  answerCodec,
  encodeReceipt,
  FoldmarkError,
  type Receipt,
  type ReceiptId,
  type ReceiptJson,
  receiptIdOf,
} from "@foldmark/protocol";
import type { Database } from "../store/open.ts";
import type { Sealing } from "../store/sealing.ts";

type Tensors = Pick<ReceiptJson, "request" | "claimed">;

/** Stores a receipt for its account; the tensors, which are the caller's words, only encrypted. */
export async function storeReceipt(
  db: Database,
  receipt: Receipt,
  { keyId, requestId, sealing, nowMs }: { keyId: string; requestId: string; sealing: Sealing; nowMs: number },
): Promise<ReceiptId> {
  const id = receiptIdOf(receipt);
  const { request, claimed, ...rest } = encodeReceipt(receipt);
  await db
    .insertInto("receipts")
    .values({
      id,
      request_id: requestId,
      key_id: keyId,
      receipt: JSON.stringify(rest),
      tensors: sealing.seal(Buffer.from(JSON.stringify({ request, claimed } satisfies Tensors)), id),
      until: receipt.answer.until,
      created_at: BigInt(nowMs),
    })
    .execute();
  return id;
}

/**
 * The complete receipt, by its id or by the id of the completion that it belongs to, for its own account only.
 * @throws `receipt.unknown`, also for somebody else's and for one whose tensors have been deleted
 */
export async function findReceipt(
  db: Database,
  { id, keyId, sealing }: { id: string; keyId: string; sealing: Sealing },
): Promise<ReceiptJson> {
  const row = IDS.test(id) ? await rowOf(db, { id, keyId }) : undefined;
  if (!row)
    throw new FoldmarkError("receipt.unknown", "There is no such receipt of this account.", {
      details: { param: "id" },
    });
  if (!row.tensors)
    throw new FoldmarkError("receipt.unknown", "The receipt was deleted: its answer can no longer be challenged.", {
      details: { param: "id" },
    });
  const tensors = JSON.parse(Buffer.from(sealing.open(row.tensors, row.id)).toString("utf8")) as Tensors;
  return { ...(JSON.parse(row.receipt) as Omit<ReceiptJson, keyof Tensors>), ...tensors };
}

/**
 * Deletes the tensors of answers that can no longer be challenged, and are not in dispute: whoever challenges or judges one
 * needs what was asked. Returns how many.
 */
export async function deleteExpiredTensors(
  db: Database,
  { expiredBy, isDisputed }: { expiredBy: bigint; isDisputed: (answer: Answer) => boolean },
): Promise<number> {
  const expired = await db
    .selectFrom("receipts")
    .select(["id", "receipt"])
    .where("until", "<", expiredBy)
    .where("tensors", "is not", null)
    .execute();
  const ids = expired.filter(({ receipt }) => !isDisputed(answerOf(receipt))).map(({ id }) => id);
  if (ids.length === 0) return 0;
  await db.updateTable("receipts").set({ tensors: null }).where("id", "in", ids).execute();
  return ids.length;
}

const answerOf = (receipt: string): Answer =>
  answerCodec.decode((JSON.parse(receipt) as Pick<ReceiptJson, "answer">).answer);

/** Ids of receipts and of what they belong to; anything else is not looked for. */
const IDS = /^(0x[0-9a-f]{64}|(chatcmpl|sim)-[0-9a-f]{32})$/;

const rowOf = (db: Database, { id, keyId }: { id: string; keyId: string }) =>
  db
    .selectFrom("receipts")
    .select(["id", "receipt", "tensors"])
    .where("key_id", "=", keyId)
    .where((eb) => eb.or([eb("id", "=", id), eb("request_id", "=", id)]))
    .executeTakeFirst();
