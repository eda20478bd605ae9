import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import {
  assetIdFromUint,
  type BaseUnits,
  type Channel,
  type ChannelId,
  channelCodec,
  chargeAnswer,
  FoldmarkError,
  fromDecimalString,
  type PayeeLedger,
} from "@foldmark/protocol";
import type { Address, Hex } from "viem";
import { explain, openDatabase } from "./openDatabase.ts";
import type { SealedBox } from "./sealedBox.ts";

/** A voucher that has been checked, with the most that its request can cost. */
export type AcceptedVoucher = {
  channelId: ChannelId;
  terms: Channel;
  ceiling: BaseUnits;
  signature: Hex;
  maximum: BaseUnits;
  /** What the chain has paid on this channel. */
  redeemed: BaseUnits;
};

/** What the ledger knows of a channel: the numbers that protocol's rules decide by, and the payer's highest voucher. */
export type ChannelAccount = { ledger: PayeeLedger; highest: { ceiling: BaseUnits; signature: Hex } };

/** A signed answer with what defends it: the payment event as it was sent, and the tensors of its statement. */
export type StoredAnswer = {
  statementId: Hex;
  until: number;
  charged: BaseUnits;
  signature: Hex;
  evidence: Uint8Array;
};

export type VoucherState =
  | { status: "open" }
  | { status: "none"; charged: BaseUnits }
  | ({ status: "done" } & StoredAnswer);

/** The voucher of a channel whose Answer states the most, above what the chain has paid. Times in unix seconds. */
export type Claim = {
  channelId: ChannelId;
  terms: Channel;
  ceiling: BaseUnits;
  signature: Hex;
  /** Cumulative, as the Answer states it; `redeemed` of it was seen on the chain. */
  amount: BaseUnits;
  redeemed: BaseUnits;
  owingSince: number;
};

/** Whose ledger it is. One ledger belongs to one payee on one deployment, for ever. */
export type LedgerOwner = { payee: Address; chainId: number; channels: Address };

type Row = Record<string, SQLOutputValue>;

/**
 * Vouchers and answers of one payee. Synchronous, and on disk when a call returns (about 0.2 ms). It lets no ceiling be
 * used twice and stores at most one Answer for each, whatever happens to the process in between.
 */
export class Ledger {
  readonly instance: string;
  readonly #folder: string;
  readonly #database: DatabaseSync;
  readonly #box: SealedBox;
  readonly #statements = new Map<string, StatementSync>();
  /** Vouchers that ended with nothing while the disk took no write. */
  readonly #unclosed = new Map<string, { channelId: ChannelId; ceiling: BaseUnits }>();

  private constructor(folder: string, database: DatabaseSync, box: SealedBox) {
    this.#folder = folder;
    this.#database = database;
    this.#box = box;
    this.instance = String(this.#get("SELECT value FROM facts WHERE name = 'instance'")?.value);
  }

  /**
   * Opens the ledger of a folder and closes what a crash left in flight: those vouchers are used and bring nothing.
   * @throws `store.locked`, `store.damaged`, and `config.invalid` when it belongs to another payee or deployment
   */
  static open(folder: string, { owner, box }: { owner: LedgerOwner; box: SealedBox }): Ledger {
    const database = openDatabase(folder);
    try {
      claim(database, folder, owner);
      database.exec("UPDATE vouchers SET status = 'none' WHERE status = 'open'");
      return new Ledger(folder, database, box);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** What is known of a channel; `undefined` for one that never brought a voucher. */
  channel(channelId: ChannelId): ChannelAccount | undefined {
    this.#closeEnded();
    return this.#account(channelId);
  }

  #account(channelId: ChannelId): ChannelAccount | undefined {
    const row = this.#get("SELECT * FROM channels WHERE channel_id = ?", channelId);
    if (!row) return undefined;
    const open = this.#all("SELECT ceiling, maximum FROM vouchers WHERE channel_id = ? AND status = 'open'", channelId);
    const ceiling = money(row.highest);
    return {
      ledger: {
        charged: money(row.charged),
        highestCeiling: ceiling,
        reserved: open.map(({ ceiling, maximum }) => ({ ceiling: money(ceiling), maximum: money(maximum) })),
      },
      highest: { ceiling, signature: row.highest_signature as Hex },
    };
  }

  /**
   * Uses a ceiling. From here on it belongs to this request, even if nothing comes of it. A channel's first voucher
   * starts its running total at what the chain has redeemed.
   * @throws `voucher.stale` when the ceiling is not above every one before it
   */
  accept({ channelId, terms, ceiling, signature, maximum, redeemed }: AcceptedVoucher, acceptedAt: number): void {
    this.#transaction(() => {
      const known = this.#get("SELECT highest FROM channels WHERE channel_id = ?", channelId);
      if (known && money(known.highest) >= ceiling)
        throw new FoldmarkError("voucher.stale", `A voucher for ${known.highest} or more was seen on this channel.`, {
          details: { channelId, ceiling: ceiling.toString(), highest: String(known.highest) },
          hint: "Sign a voucher above the highest one.",
        });
      this.#run(
        `INSERT INTO channels VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '0', '0x', ?, NULL)
         ON CONFLICT (channel_id) DO UPDATE SET highest = excluded.highest, highest_signature = excluded.highest_signature`,
        ...[channelId, terms.payer, terms.signer, terms.payee, assetIdFromUint(terms.model), terms.salt],
        ...[redeemed.toString(), ceiling.toString(), signature, redeemed.toString(), redeemed.toString()],
      );
      this.#run(
        "INSERT INTO vouchers (channel_id, ceiling, signature, maximum, accepted_at, status) VALUES (?, ?, ?, ?, ?, 'open')",
        ...[channelId, ceiling.toString(), signature, maximum.toString(), acceptedAt],
      );
    });
  }

  /**
   * Charges an answer and stores it. `sign` gets the running total that the Answer states (the channel's total with this
   * price, clipped to the ceiling) and must return without waiting, so that no other answer comes in between.
   * @throws `answer.unknown` when the voucher is not in flight any more
   */
  answer<T extends { statementId: Hex; until: number; signature: Hex; evidence: Uint8Array }>(
    { channelId, ceiling, price, at }: { channelId: ChannelId; ceiling: BaseUnits; price: BaseUnits; at: number },
    sign: (charged: BaseUnits) => T,
  ): T & { charged: BaseUnits } {
    return this.#transaction(() => {
      const voucher = this.#get(
        "SELECT id, status, signature FROM vouchers WHERE channel_id = ? AND ceiling = ?",
        ...[channelId, ceiling.toString()],
      );
      if (voucher?.status !== "open")
        throw new FoldmarkError("answer.unknown", `The voucher for ${ceiling} is not in flight.`, {
          details: { channelId, ceiling: ceiling.toString(), status: String(voucher?.status ?? "unknown") },
        });
      const account = this.#account(channelId);
      assert(account, "a voucher has a channel");
      const { charged, ledger } = chargeAnswer(account.ledger, { ceiling, price });
      const signed = sign(charged);
      this.#run("UPDATE channels SET charged = ? WHERE channel_id = ?", ledger.charged.toString(), channelId);
      if (charged > money(this.#get("SELECT claim_amount FROM channels WHERE channel_id = ?", channelId)?.claim_amount))
        this.#run(
          `UPDATE channels SET claim_amount = ?, claim_ceiling = ?, claim_signature = ?,
           owing_since = coalesce(owing_since, ?) WHERE channel_id = ?`,
          ...[charged.toString(), ceiling.toString(), String(voucher.signature), at, channelId],
        );
      this.#run(
        "UPDATE vouchers SET status = 'done', charged = ? WHERE id = ?",
        charged.toString(),
        Number(voucher.id),
      );
      this.#run(
        "INSERT INTO answers VALUES (?, ?, ?, ?, ?)",
        ...[Number(voucher.id), signed.statementId, signed.until, signed.signature],
        this.#box.seal(signed.evidence, labelOf(channelId, ceiling)),
      );
      return { ...signed, charged };
    });
  }

  /**
   * Closes a voucher in flight with nothing signed and nothing charged. One that is closed already stays as it is. Where
   * the disk takes no write, it is closed as soon as somebody asks for it and the disk does.
   * @throws `store.disk_full`
   */
  closeEmpty(channelId: ChannelId, ceiling: BaseUnits): void {
    this.#unclosed.set(labelOf(channelId, ceiling), { channelId, ceiling });
    this.#closeEnded();
  }

  #closeEnded(): void {
    for (const [label, { channelId, ceiling }] of this.#unclosed) {
      this.#transaction(() =>
        this.#run(
          "UPDATE vouchers SET status = 'none' WHERE channel_id = ? AND ceiling = ? AND status = 'open'",
          ...[channelId, ceiling.toString()],
        ),
      );
      this.#unclosed.delete(label);
    }
  }

  /** What became of a ceiling; `undefined` when it was never accepted, or is long past its challenge window. */
  lookup(channelId: ChannelId, ceiling: BaseUnits): VoucherState | undefined {
    this.#closeEnded();
    const row = this.#get(
      `SELECT v.status, v.charged, c.charged AS total, a.statement_id, a.until, a.signature, a.evidence
       FROM vouchers v JOIN channels c USING (channel_id) LEFT JOIN answers a ON a.voucher_id = v.id
       WHERE v.channel_id = ? AND v.ceiling = ?`,
      ...[channelId, ceiling.toString()],
    );
    if (!row) return undefined;
    if (row.status === "open") return { status: "open" };
    if (row.status === "none") return { status: "none", charged: money(row.total) };
    if (!(row.evidence instanceof Uint8Array)) return undefined;
    return {
      status: "done",
      statementId: row.statement_id as Hex,
      until: Number(row.until),
      charged: money(row.charged),
      signature: row.signature as Hex,
      evidence: this.#box.open(row.evidence, labelOf(channelId, ceiling)),
    };
  }

  /** The answers on a channel to one statement, with the ceilings that they answer: who asks twice has two. */
  answersTo(channelId: ChannelId, statementId: Hex): ({ ceiling: BaseUnits } & StoredAnswer)[] {
    return this.#all(
      `SELECT v.ceiling, v.charged, a.statement_id, a.until, a.signature, a.evidence
       FROM answers a JOIN vouchers v ON v.id = a.voucher_id WHERE v.channel_id = ? AND a.statement_id = ?`,
      ...[channelId, statementId],
    ).flatMap((row) => {
      const ceiling = money(row.ceiling);
      if (!(row.evidence instanceof Uint8Array)) return [];
      return [
        {
          ...{ ceiling, statementId: row.statement_id as Hex, until: Number(row.until), charged: money(row.charged) },
          signature: row.signature as Hex,
          evidence: this.#box.open(row.evidence, labelOf(channelId, ceiling)),
        },
      ];
    });
  }

  /** What every channel owes above what the chain has paid. */
  claims(): Claim[] {
    return this.#all("SELECT * FROM channels WHERE owing_since IS NOT NULL").map((row) => ({
      channelId: row.channel_id as ChannelId,
      terms: termsOf(row),
      ceiling: money(row.claim_ceiling),
      signature: row.claim_signature as Hex,
      amount: money(row.claim_amount),
      redeemed: money(row.redeemed),
      owingSince: Number(row.owing_since),
    }));
  }

  /** Notes what the chain has paid on a channel in all. Only ever rises. */
  redeemed(channelId: ChannelId, amount: BaseUnits): void {
    const row = this.#get("SELECT redeemed, claim_amount FROM channels WHERE channel_id = ?", channelId);
    if (!row || money(row.redeemed) >= amount) return;
    this.#run(
      "UPDATE channels SET redeemed = ?, owing_since = iif(?, NULL, owing_since) WHERE channel_id = ?",
      ...[amount.toString(), amount >= money(row.claim_amount) ? 1 : 0, channelId],
    );
  }

  /** Something that was found out and need not be again. */
  fact(name: string): string | undefined {
    const value = this.#get("SELECT value FROM facts WHERE name = ?", name)?.value;
    return value === undefined ? undefined : String(value);
  }

  setFact(name: string, value: string): void {
    this.#run(
      "INSERT INTO facts VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
      ...[name, value],
    );
  }

  /** Answers that may still be challenged, or whose evidence has not been deleted yet. */
  openAnswers(): number {
    return Number(this.#get("SELECT count(*) AS n FROM answers")?.n);
  }

  /**
   * Deletes answers and their evidence whose `until` lies before `time` (unix seconds), and vouchers that ended before it
   * with nothing. The highest ceiling and the claim of a channel stay, and so does what is `kept`: answers whose dispute
   * goes on.
   */
  prune(time: number, kept: readonly { channelId: ChannelId; ceiling: BaseUnits }[] = []): number {
    return this.#transaction(() => {
      const labels = JSON.stringify(kept.map(({ channelId, ceiling }) => labelOf(channelId, ceiling)));
      const { changes } = this.#run(
        `DELETE FROM answers WHERE until < ? AND voucher_id NOT IN
         (SELECT id FROM vouchers WHERE channel_id || '/' || ceiling IN (SELECT value FROM json_each(?)))`,
        ...[time, labels],
      );
      this.#run(
        `DELETE FROM vouchers WHERE status <> 'open' AND accepted_at < ?
         AND NOT EXISTS (SELECT 1 FROM answers WHERE voucher_id = vouchers.id)`,
        time,
      );
      return Number(changes);
    });
  }

  close(): void {
    if (this.#database.isOpen) this.#database.close();
  }

  #transaction<T>(work: () => T): T {
    this.#database.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.#database.exec("COMMIT");
      return result;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw explain(error, this.#folder);
    }
  }

  #get(sql: string, ...values: (string | number)[]): Row | undefined {
    return this.#prepare(sql).get(...values);
  }

  #all(sql: string, ...values: (string | number)[]): Row[] {
    return this.#prepare(sql).all(...values);
  }

  #run(sql: string, ...values: (string | number | Uint8Array)[]) {
    return this.#prepare(sql).run(...values);
  }

  #prepare(sql: string): StatementSync {
    const known = this.#statements.get(sql);
    if (known) return known;
    const statement = this.#database.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

function claim(database: DatabaseSync, folder: string, { payee, chainId, channels }: LedgerOwner): void {
  const owner = `${chainId}/${channels.toLowerCase()}/${payee.toLowerCase()}`;
  const known = database.prepare("SELECT value FROM facts WHERE name = 'owner'").get()?.value;
  if (known === undefined) {
    const insert = database.prepare("INSERT INTO facts VALUES (?, ?)");
    database.exec("BEGIN IMMEDIATE");
    insert.run("owner", owner);
    insert.run("instance", randomBytes(16).toString("hex"));
    database.exec("COMMIT");
  } else if (known !== owner)
    throw new FoldmarkError("config.invalid", `The ledger in ${folder} belongs to ${known}, not to ${owner}.`, {
      details: { folder, belongsTo: known, asked: owner },
      hint: "One folder holds one payee on one deployment: set FOLDMARK_HOME to another folder.",
    });
}

const labelOf = (channelId: ChannelId, ceiling: BaseUnits) => `${channelId}/${ceiling}`;

const money = (value: SQLOutputValue | undefined): BaseUnits => fromDecimalString(String(value));

function termsOf({ payer, signer, payee, model, salt }: Row): Channel {
  return channelCodec.parse({ payer, signer, payee, model, salt });
}
