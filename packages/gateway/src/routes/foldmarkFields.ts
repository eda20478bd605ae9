import { encodeReceipt, type Receipt, type ReceiptId } from "@foldmark/protocol";

/** A client that sends `x-foldmark-receipt: full` gets the whole receipt in the answer. */
export const RECEIPT_HEADER = "x-foldmark-receipt";

/** Headers of ours that a browser must be allowed to read. */
export const EXPOSED_HEADERS = [
  "x-request-id",
  "x-foldmark-receipt-id",
  "x-foldmark-receipt-url",
  "x-foldmark-provider",
  "x-foldmark-price",
  "x-ratelimit-limit-requests",
  "x-ratelimit-remaining-requests",
  "x-ratelimit-reset-requests",
  "x-idempotent-replay",
  "x-should-retry",
  "retry-after",
  "retry-after-ms",
];

export type FoldmarkInputs = { receipt: Receipt; receiptId: ReceiptId; seed: bigint; isFull: boolean };

/** What stands beside an answer in OpenAI's shape: how it came about, and where its evidence is. */
export function foldmarkFields({ receipt, receiptId, seed, isFull }: FoldmarkInputs) {
  const { answer, price, prices, model, routing, cut, seedByGateway } = receipt;
  return {
    receipt_id: receiptId,
    receipt_url: receiptUrl(receiptId),
    provider: answer.payee,
    /** Base units of the settlement token. */
    price: price.toString(),
    prices: { in: prices.in.toString(), out: prices.out.toString(), unit: prices.unit.toString() },
    asset: model.asset,
    statement_id: answer.statementId,
    /** Last second (unix) in which the answer may be challenged. */
    until: Number(answer.until),
    /** Decimal, 64 bits. */
    seed: seed.toString(),
    seed_by_gateway: seedByGateway,
    skipped: routing.skipped,
    ...(cut && { cut }),
    ...(isFull && { receipt: encodeReceipt(receipt) }),
  };
}

export const receiptUrl = (id: string): string => `/v1/receipts/${id}`;

export function foldmarkHeaders({ receipt, receiptId }: Pick<FoldmarkInputs, "receipt" | "receiptId">) {
  return {
    "x-foldmark-receipt-id": receiptId,
    "x-foldmark-receipt-url": receiptUrl(receiptId),
    "x-foldmark-provider": receipt.answer.payee,
    "x-foldmark-price": receipt.price.toString(),
  };
}
