import {
  type ChannelState,
  codeOf,
  type ErrorCode,
  type ErrorExtras,
  encodePaymentRequiredHeader,
  errorRow,
  FoldmarkError,
  PAYMENT_REQUIRED_HEADER,
  type PaymentTerms,
  type Prices,
  refusalCodec,
  type wireErrorSchema,
} from "@foldmark/protocol";
import { z } from "zod";

type WireError = z.infer<typeof wireErrorSchema>;

/** What stands beside a refusal, so that the payer can do better at its next try. */
export type RefusalExtras = { channel?: ChannelState | undefined; prices?: Prices; terms?: PaymentTerms };

/** A request that is not served, with what the payer needs to know about it. */
export class Refusal extends FoldmarkError {
  readonly beside: RefusalExtras;

  constructor(
    code: ErrorCode,
    message: string,
    { beside = {}, ...extras }: ErrorExtras & { beside?: RefusalExtras } = {},
  ) {
    super(code, message, extras);
    this.name = "Refusal";
    this.beside = beside;
  }
}

/** An error as payers see it. What happened inside the node is not shown: only its code is. */
export function wireError(error: unknown): WireError {
  const code = codeOf(error);
  if (!(error instanceof FoldmarkError) || code === "internal.bug" || code.startsWith("store."))
    return { code: code === "internal.bug" ? "engine.failed" : code, message: "The node could not answer." };
  const { message, hint, details } = error;
  return {
    code,
    message,
    ...(hint === undefined ? {} : { hint }),
    ...(Object.keys(details).length === 0 ? {} : { details: z.record(z.string(), z.json()).parse(details) }),
  };
}

/** Status, headers and body of a refusal. */
export function refusalResponse(error: unknown): { status: number; headers: Record<string, string>; body: unknown } {
  const wire = wireError(error);
  const status = errorRow({ code: wire.code }).status;
  const beside = error instanceof Refusal ? error.beside : {};
  const headers: Record<string, string> = {};
  if (beside.terms)
    headers[PAYMENT_REQUIRED_HEADER] = encodePaymentRequiredHeader({
      x402Version: 2,
      error: wire.code,
      accepts: [beside.terms],
    });
  if (status === 429 || status === 503) headers["retry-after"] = String(wire.details?.retryAfterSeconds ?? 1);
  const body = z.encode(refusalCodec, {
    error: wire,
    ...(beside.channel ? { channel: beside.channel } : {}),
    ...(beside.prices ? { prices: beside.prices } : {}),
  });
  return { status, headers, body };
}
