import { sql } from "kysely";
import type { Database } from "./open.ts";

/** What the transparency report counts. Labels are provider addresses, model ids or error codes, never a caller. */
export type CounterName = "request" | "refusal" | "failover" | "failure" | "work" | "borne" | "mismatch";

export type Count = { name: CounterName; label: string; amount?: bigint };

/** Adds one to a counter of the day, and an amount in base units to its sum. */
export async function countUp(db: Database, { name, label, amount = 0n }: Count, nowMs: number): Promise<void> {
  const day = new Date(nowMs).toISOString().slice(0, 10);
  await db
    .insertInto("counters")
    .values({ day, name, label, count: 1n, amount })
    .onConflict((conflict) =>
      conflict.columns(["day", "name", "label"]).doUpdateSet({
        count: sql`counters.count + 1`,
        amount: sql`counters.amount + excluded.amount`,
      }),
    )
    .execute();
}

/** Sums since a day (UTC, `2026-01-31`), by name and label. */
export async function countsSince(db: Database, day: string) {
  const rows = await db
    .selectFrom("counters")
    .select(["name", "label", sql<bigint>`sum(count)`.as("count"), sql<bigint>`sum(amount)`.as("amount")])
    .where("day", ">=", day)
    .groupBy(["name", "label"])
    .orderBy("name")
    .orderBy("label")
    .execute();
  return rows.map((row) => ({ ...row, name: row.name as CounterName }));
}
