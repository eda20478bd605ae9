import { assetIdFromUint, type ChannelState, type PaymentTerms, type VoucherVerdict } from "@foldmark/protocol";
import { Refusal } from "./refusal.ts";

/** What a payer is told about a voucher that is not served, with the numbers that a better one needs. */
export function voucherRefusal(
  verdict: Extract<VoucherVerdict, { status: "refused" }>,
  beside: { terms: PaymentTerms; channel: ChannelState },
): Refusal {
  switch (verdict.reason) {
    case "wrong_channel":
      return new Refusal("voucher.invalid", "The voucher is for another channel than the one beside it.", {
        details: { channelId: verdict.channelId, expected: verdict.expected },
        beside: { terms: beside.terms },
      });
    case "wrong_payee":
      return new Refusal("voucher.invalid", "The channel pays somebody else.", {
        details: { payee: verdict.payee, expected: verdict.expected },
        beside: { terms: beside.terms },
      });
    case "wrong_model":
      return new Refusal("voucher.invalid", "The channel is for another model.", {
        details: { model: assetIdFromUint(verdict.model), expected: assetIdFromUint(verdict.expected) },
        beside: { terms: beside.terms },
      });
    case "wrong_signer":
      return new Refusal("voucher.wrong_signer", "The voucher is not signed by the channel's signer.", {
        details: { signer: verdict.signer, expected: verdict.expected },
        beside: { terms: beside.terms },
      });
    case "stale":
      return new Refusal("voucher.stale", `A voucher for ${verdict.highest} was seen on this channel.`, {
        details: { ceiling: verdict.ceiling.toString(), highest: verdict.highest.toString() },
        hint: "Sign above the highest one.",
        beside,
      });
    case "too_low":
      return new Refusal(
        "voucher.too_low",
        `The voucher covers ${verdict.ceiling}, this request needs ${verdict.needed}.`,
        {
          details: { ceiling: verdict.ceiling.toString(), needed: verdict.needed.toString() },
          hint: "Sign a voucher for at least `needed` and send the request again.",
          beside,
        },
      );
    case "deposit_too_small":
      return new Refusal("channel.exhausted", `The deposit of ${verdict.deposit} is not worth redeeming.`, {
        details: { deposit: verdict.deposit.toString(), minimum: verdict.minimum.toString() },
        hint: "Deposit at least `minimum` into the channel.",
        beside,
      });
    case "exhausted":
      return new Refusal(
        "channel.exhausted",
        `The voucher is for ${verdict.ceiling}, the channel holds ${verdict.available}.`,
        {
          details: { ceiling: verdict.ceiling.toString(), available: verdict.available.toString() },
          hint: "Deposit into the channel and wait for the node's confirmations.",
          beside,
        },
      );
    default:
      verdict satisfies never;
      throw new Error("a refusal without a reason");
  }
}
