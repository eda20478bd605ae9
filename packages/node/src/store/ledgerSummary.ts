import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fromDecimalString } from "@foldmark/protocol";

export type LedgerSummary = { channels: number; owed: bigint; openAnswers: number };

/** What the ledger of a stopped node holds, without a key and without changing it. */
export function readLedgerSummary(folder: string): LedgerSummary {
  using database = openForReading(path.join(folder, "ledger.db"));
  const rows = database.prepare("SELECT claim_amount, redeemed FROM channels WHERE owing_since IS NOT NULL").all();
  const owed = rows.reduce(
    (sum, row) => sum + fromDecimalString(String(row.claim_amount)) - fromDecimalString(String(row.redeemed)),
    0n,
  );
  const openAnswers = Number(database.prepare("SELECT count(*) AS n FROM answers").get()?.n);
  return { channels: rows.length, owed, openAnswers };
}

const openForReading = (file: string) => new DatabaseSync(file, { readOnly: true, timeout: 0 });
