import { chmodSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { FoldmarkError } from "@foldmark/protocol";
import { LEDGER_VERSION, SCHEMA } from "./schema.ts";

const FILE = "ledger.db";
const HOLDER = "pid";

/**
 * Opens the one file of a ledger, alone: SQLite's own lock on it goes with the process, however that ends. Every
 * transaction is on disk when it returns.
 * @throws `store.locked` naming who holds it, `store.damaged`
 */
export function openDatabase(folder: string): DatabaseSync {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  chmodSync(folder, 0o700); // SQLite's other files take the mode of the first
  const file = path.join(folder, FILE);
  const database = open(file);
  try {
    database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    database.exec("PRAGMA foreign_keys = ON; BEGIN IMMEDIATE; COMMIT");
    migrate(database, file);
    writeFileSync(path.join(folder, HOLDER), `${process.pid}\n`, { mode: 0o600 });
    return database;
  } catch (cause) {
    database.close();
    throw explain(cause, folder);
  }
}

function open(file: string): DatabaseSync {
  try {
    if (!existsSync(file)) closeSync(openSync(file, "a", 0o600));
    chmodSync(file, 0o600);
    return new DatabaseSync(file, { timeout: 0 });
  } catch (cause) {
    throw explain(cause, path.dirname(file));
  }
}

function migrate(database: DatabaseSync, file: string): void {
  const version = Number(database.prepare("PRAGMA user_version").get()?.user_version);
  if (version > LEDGER_VERSION)
    throw new FoldmarkError("store.damaged", `The ledger ${file} was written by a newer version of foldmark.`, {
      details: { file, version, known: LEDGER_VERSION },
      hint: "Start the newer version again: a ledger is never read by an older one.",
    });
  if (version === LEDGER_VERSION) {
    const found = Object.values(database.prepare("PRAGMA quick_check(1)").get() ?? {})[0];
    if (found !== "ok") throw damaged(file, String(found));
    return;
  }
  database.exec(`BEGIN; ${SCHEMA}; PRAGMA user_version = ${LEDGER_VERSION}; COMMIT`);
}

const SQLITE_BUSY = 5;
const SQLITE_READONLY = 8;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_NOTADB = 26;

/** What SQLite says, as one of our errors; what is none of SQLite's passes as it is. */
export function explain(cause: unknown, folder: string): unknown {
  // an extended code says more in its upper bits
  const errcode = cause instanceof Error && "errcode" in cause ? Number(cause.errcode) & 0xff : undefined;
  if (errcode === SQLITE_BUSY) return locked(folder);
  if (errcode === SQLITE_FULL)
    return new FoldmarkError("store.disk_full", `The disk of the ledger in ${folder} is full.`, {
      details: { folder },
      hint: "Make room; nothing is answered before it is on disk.",
      cause,
    });
  if (errcode === SQLITE_CORRUPT || errcode === SQLITE_NOTADB)
    return damaged(path.join(folder, FILE), cause instanceof Error ? cause.message : "unreadable");
  if (errcode === SQLITE_READONLY || errcode === SQLITE_IOERR || errcode === SQLITE_CANTOPEN)
    return new FoldmarkError("store.disk_full", `The ledger in ${folder} cannot be written.`, {
      details: { folder, reason: cause instanceof Error ? cause.message : "unknown" },
      hint: "Make room and look at the folder's permissions; nothing is answered before it is on disk.",
      cause,
    });
  return cause;
}

function locked(folder: string): FoldmarkError {
  const holder = path.join(folder, HOLDER);
  const pid = existsSync(holder) ? readFileSync(holder, "utf8").trim() : "unknown";
  return new FoldmarkError("store.locked", `The ledger in ${folder} is in use by process ${pid}.`, {
    details: { folder, pid },
    hint: "Two nodes on one ledger could sign twice for one voucher: stop the other one, or set FOLDMARK_HOME.",
  });
}

function damaged(file: string, found: string): FoldmarkError {
  return new FoldmarkError("store.damaged", `The ledger ${file} is damaged: ${found}.`, {
    details: { file, found },
    hint: "Restore it from a backup; an empty ledger would forget which ceilings were used.",
  });
}
