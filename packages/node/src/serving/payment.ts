import {
  type BaseUnits,
  type Domain,
  decodePaymentHeader,
  FoldmarkError,
  isSameAddress,
  MAX_TIMEOUT_SECONDS,
  networkOf,
  PAYMENT_SCHEME,
  type Payment,
  type PaymentTerms,
  recoverVoucherSigner,
} from "@foldmark/protocol";
import type { Address } from "viem";
import type { MarketView } from "../chain/marketView.ts";
import type { ServedModel } from "../engine/answerEngine.ts";
import { Refusal } from "./refusal.ts";

/** What this node accepts to be paid by. `amount` is the request's maximum. */
export function termsOf(
  model: ServedModel,
  amount: BaseUnits,
  { payee, domain, market }: { payee: Address; domain: Domain; market: MarketView },
): PaymentTerms {
  return {
    scheme: PAYMENT_SCHEME,
    network: networkOf(domain.chainId),
    amount,
    asset: market.terms.token,
    payTo: payee,
    maxTimeoutSeconds: MAX_TIMEOUT_SECONDS,
    extra: { channels: domain.verifyingContract, model: model.asset },
  };
}

/** @throws `voucher.missing`, `voucher.invalid` */
export function readPayment(header: string | undefined, terms: PaymentTerms): Payment {
  if (header === undefined)
    throw new Refusal("voucher.missing", "An answer is paid by a voucher in the payment header.", {
      beside: { terms },
    });
  const payment = decode(header, terms);
  const { scheme, network, asset, payTo, extra } = payment.accepted;
  const isOurs =
    scheme === terms.scheme &&
    network === terms.network &&
    isSameAddress(asset, terms.asset) &&
    isSameAddress(payTo, terms.payTo) &&
    isSameAddress(extra.channels, terms.extra.channels) &&
    extra.model === terms.extra.model;
  if (!isOurs)
    throw new Refusal("voucher.invalid", "The payment accepts other terms than this node's.", {
      beside: { terms },
      hint: "Take the terms of the PAYMENT-REQUIRED header.",
    });
  return payment;
}

function decode(header: string, terms: PaymentTerms): Payment {
  try {
    return decodePaymentHeader(header);
  } catch (error) {
    if (!(error instanceof FoldmarkError)) throw error;
    throw new Refusal("voucher.invalid", error.message, { beside: { terms }, cause: error });
  }
}

/** Who signed the voucher. @throws `voucher.wrong_signer` for what is no signature */
export async function recoverPaymentSigner(
  { payload }: Payment,
  terms: PaymentTerms,
  domain: Domain,
): Promise<Address> {
  try {
    return await recoverVoucherSigner(domain, payload);
  } catch (error) {
    if (!(error instanceof FoldmarkError)) throw error;
    throw new Refusal("voucher.wrong_signer", "The voucher's signature is no signature.", {
      beside: { terms },
      cause: error,
    });
  }
}
