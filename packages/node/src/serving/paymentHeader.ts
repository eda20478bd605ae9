import { PAYMENT_SIGNATURE_HEADER } from "@foldmark/protocol";
import type { Request } from "express";

/** The payment of a request; `undefined` without one. */
export const paymentHeader = (request: Request): string | undefined => request.get(PAYMENT_SIGNATURE_HEADER);
