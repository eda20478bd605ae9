/**
 * The ledger's tables. Amounts are decimal strings: a ceiling has up to 128 bits, SQLite's integers have 63. Ids are
 * lower-case hex. `vouchers.status`: `open` while its request is in flight, then `done` (an Answer is stored) or `none`
 * (nothing was signed under this ceiling and nothing ever will be). A channel's claim is the voucher whose Answer states
 * the most: what the next redemption takes to the chain. `owing_since` is when the first unredeemed answer was charged.
 */
export const LEDGER_VERSION = 1;

export const SCHEMA = `
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

CREATE TABLE channels (
  channel_id TEXT PRIMARY KEY,
  payer TEXT NOT NULL, signer TEXT NOT NULL, payee TEXT NOT NULL, model TEXT NOT NULL, salt TEXT NOT NULL,
  charged TEXT NOT NULL,
  highest TEXT NOT NULL, highest_signature TEXT NOT NULL,
  claim_amount TEXT NOT NULL, claim_ceiling TEXT NOT NULL, claim_signature TEXT NOT NULL,
  redeemed TEXT NOT NULL,
  owing_since INTEGER
) STRICT;

CREATE TABLE vouchers (
  id INTEGER PRIMARY KEY,
  channel_id TEXT NOT NULL REFERENCES channels,
  ceiling TEXT NOT NULL,
  signature TEXT NOT NULL,
  maximum TEXT NOT NULL,
  accepted_at INTEGER NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('open', 'done', 'none')),
  charged TEXT,
  UNIQUE (channel_id, ceiling)
) STRICT;
CREATE INDEX vouchers_open ON vouchers (channel_id) WHERE status = 'open';

CREATE TABLE answers (
  voucher_id INTEGER PRIMARY KEY REFERENCES vouchers,
  statement_id TEXT NOT NULL,
  until INTEGER NOT NULL,
  signature TEXT NOT NULL,
  evidence BLOB NOT NULL
) STRICT;
CREATE INDEX answers_until ON answers (until);
`;
