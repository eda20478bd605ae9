import { type Kysely, sql } from "kysely";
import type { Migration } from "kysely/migration";

const money = sql`numeric(39,0)`;

/** The tables of schema.ts, one step after the other; a step that has been published is never edited. */
export const migrations: Record<string, Migration> = {
  "0001_tables": {
    async up(db: Kysely<never>) {
      await db.schema
        .createTable("api_keys")
        .addColumn("id", "text", (c) => c.primaryKey())
        .addColumn("hash", "text", (c) => c.notNull().unique())
        .addColumn("name", "text", (c) => c.notNull())
        .addColumn("budget", money, (c) => c.notNull())
        .addColumn("spent", money, (c) => c.notNull())
        .addColumn("reserved", money, (c) => c.notNull())
        .addColumn("created_at", "int8", (c) => c.notNull())
        .addColumn("revoked_at", "int8")
        .execute();
      await db.schema
        .createTable("reservations")
        .addColumn("request_id", "text", (c) => c.notNull())
        .addColumn("key_id", "text", (c) => c.notNull().references("api_keys.id"))
        .addColumn("gateway", "text", (c) => c.notNull())
        .addColumn("amount", money, (c) => c.notNull())
        .execute();
      await db.schema.createIndex("reservations_request").on("reservations").column("request_id").execute();
      await db.schema
        .createTable("channels")
        .addColumn("id", "text", (c) => c.primaryKey())
        .addColumn("payee", "text", (c) => c.notNull())
        .addColumn("asset", "text", (c) => c.notNull())
        .addColumn("salt", "text", (c) => c.notNull())
        .addColumn("sum", money, (c) => c.notNull())
        .addColumn("largest_charged", money, (c) => c.notNull())
        .addColumn("last_ceiling", money, (c) => c.notNull())
        .addColumn("stopped", "text")
        .addColumn("is_empty", "boolean", (c) => c.notNull())
        .addColumn("created_at", "int8", (c) => c.notNull())
        .execute();
      await db.schema
        .createTable("vouchers")
        .addColumn("channel_id", "text", (c) => c.notNull().references("channels.id"))
        .addColumn("ceiling", money, (c) => c.notNull())
        .addColumn("signature", "text", (c) => c.notNull())
        .addColumn("maximum", money, (c) => c.notNull())
        .addColumn("state", "text", (c) => c.notNull())
        .addColumn("evidence", "bytea")
        .addColumn("created_at", "int8", (c) => c.notNull())
        .addPrimaryKeyConstraint("vouchers_pk", ["channel_id", "ceiling"])
        .execute();
      await db.schema
        .createTable("receipts")
        .addColumn("id", "text", (c) => c.primaryKey())
        .addColumn("request_id", "text", (c) => c.notNull().unique())
        .addColumn("key_id", "text", (c) => c.notNull().references("api_keys.id"))
        .addColumn("receipt", "text", (c) => c.notNull())
        .addColumn("tensors", "bytea")
        .addColumn("until", "int8", (c) => c.notNull())
        .addColumn("created_at", "int8", (c) => c.notNull())
        .execute();
      await db.schema.createIndex("receipts_until").on("receipts").column("until").execute();
      await db.schema
        .createTable("counters")
        .addColumn("day", "text", (c) => c.notNull())
        .addColumn("name", "text", (c) => c.notNull())
        .addColumn("label", "text", (c) => c.notNull())
        .addColumn("count", "int8", (c) => c.notNull())
        .addColumn("amount", money, (c) => c.notNull())
        .addPrimaryKeyConstraint("counters_pk", ["day", "name", "label"])
        .execute();
      await db.schema
        .createTable("idempotency")
        .addColumn("key_id", "text", (c) => c.notNull().references("api_keys.id"))
        .addColumn("idempotency_key", "text", (c) => c.notNull())
        .addColumn("body_hash", "text", (c) => c.notNull())
        .addColumn("gateway", "text", (c) => c.notNull())
        .addColumn("answer", "bytea")
        .addColumn("created_at", "int8", (c) => c.notNull())
        .addPrimaryKeyConstraint("idempotency_pk", ["key_id", "idempotency_key"])
        .execute();
    },
  },
};
