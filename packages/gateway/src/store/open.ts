import { PGlite } from "@electric-sql/pglite";
import { FoldmarkError } from "@foldmark/protocol";
import { Kysely, PGliteDialect, PostgresDialect } from "kysely";
import { Migrator } from "kysely/migration";
import pg from "pg";
import { migrations } from "./migrations.ts";
import type { Schema } from "./schema.ts";

export type Database = Kysely<Schema>;

// both drivers give int8 and numeric as bigint: by default one gives a number or a string, the other a string
const AS_BIGINT = { [pg.types.builtins.INT8]: BigInt, [pg.types.builtins.NUMERIC]: BigInt };
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: "text" | "binary") =>
    AS_BIGINT[oid] ?? pg.types.getTypeParser(oid, format as "text"),
};

/**
 * Opens the store and brings its tables up to date: `postgres://...`, a folder for an embedded database, or one in memory.
 * The caller owns the folder by a lock: a second opener of an embedded database destroys it. `destroy()` closes it.
 * @throws `store.damaged` where it cannot be opened
 */
export async function openStore(where: { url: string } | { folder: string } | "memory"): Promise<Database> {
  try {
    const db = new Kysely<Schema>({ dialect: dialectOf(where) });
    const { error } = await new Migrator({ db, provider: { getMigrations: async () => migrations } }).migrateToLatest();
    if (error) throw error;
    return db;
  } catch (cause) {
    throw new FoldmarkError("store.damaged", "The database cannot be opened.", {
      cause,
      hint: "If it is an embedded one, move its folder away: signed vouchers are asked back from the providers.",
    });
  }
}

function dialectOf(where: { url: string } | { folder: string } | "memory") {
  if (where !== "memory" && "url" in where)
    return new PostgresDialect({ pool: new pg.Pool({ connectionString: where.url, max: 10, types }) });
  const dataDir = where === "memory" ? {} : { dataDir: where.folder };
  return new PGliteDialect({ pglite: new PGlite({ ...dataDir, parsers: AS_BIGINT }) });
}
