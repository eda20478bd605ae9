/** Money is `numeric(39,0)`, which holds a uint128; both drivers give it as a bigint. Times are unix milliseconds. */

export type ApiKeyRow = {
  id: string;
  /** SHA-256 of the key in hex; the key itself is shown once and kept nowhere. */
  hash: string;
  name: string;
  budget: bigint;
  spent: bigint;
  /** Sum of the key's rows in `reservations`. */
  reserved: bigint;
  created_at: bigint;
  revoked_at: bigint | null;
};

/** Money set aside for one request, until it is settled. */
export type ReservationRow = { request_id: string; key_id: string; gateway: string; amount: bigint };

/** A payer's ledger of one channel (`PayerLedger` of the protocol; the requests in flight are rows of `vouchers`). */
export type ChannelRow = {
  id: string;
  payee: string;
  asset: string;
  salt: string;
  sum: bigint;
  largest_charged: bigint;
  last_ceiling: bigint;
  /** Why no voucher is signed any more; null while the channel is in use. */
  stopped: string | null;
  /** A stopped channel whose deposit has come back. */
  is_empty: boolean;
  created_at: bigint;
};

/** `in_flight`: sent or about to be. `answered`: an accepted Answer. `none`: closed without one. */
export type VoucherState = "in_flight" | "answered" | "none";

export type VoucherRow = {
  channel_id: string;
  ceiling: bigint;
  signature: string;
  /** The request's maximum, which stays at risk while the voucher is in flight. */
  maximum: bigint;
  state: VoucherState;
  /** The request as it was sent, encrypted: what it takes to check an Answer that is fetched later; null once closed. */
  evidence: Uint8Array | null;
  created_at: bigint;
};

export type ReceiptRow = {
  id: string;
  /** The id of the completion or simulation. */
  request_id: string;
  key_id: string;
  /** The receipt without its tensors, as JSON. */
  receipt: string;
  /** Request and claimed tensors, encrypted; null once deleted. */
  tensors: Uint8Array | null;
  /** Last second (unix) in which the answer may be challenged. */
  until: bigint;
  created_at: bigint;
};

/** Sums for the transparency report, by UTC day. */
export type CounterRow = { day: string; name: string; label: string; count: bigint; amount: bigint };

/** Answers that are given again for the same Idempotency-Key of the same API key. */
export type IdempotencyRow = {
  key_id: string;
  idempotency_key: string;
  body_hash: string;
  /** Which gateway has it running. */
  gateway: string;
  /** The answer, encrypted; null while the first request is running. */
  answer: Uint8Array | null;
  created_at: bigint;
};

export type Schema = {
  api_keys: ApiKeyRow;
  reservations: ReservationRow;
  channels: ChannelRow;
  vouchers: VoucherRow;
  receipts: ReceiptRow;
  counters: CounterRow;
  idempotency: IdempotencyRow;
};
