import type { Address } from "viem";
import type { Channel } from "./channel.ts";
import { type ChannelId, isSameAddress } from "./ids.ts";
import { type BaseUnits, baseUnits, ZERO } from "./money.ts";
import type { Voucher } from "./voucher.ts";

/** What a payee knows of one channel. Plain data: store it before anything that follows from it is released. */
export type PayeeLedger = {
  /** Running total of the prices of all answers signed on this channel; not clipped to any ceiling. */
  charged: BaseUnits;
  /** Highest ceiling ever seen. */
  highestCeiling: BaseUnits;
  /** Requests that were taken and have neither an Answer nor an end without one. */
  reserved: readonly { ceiling: BaseUnits; maximum: BaseUnits }[];
};

/** A channel without records starts from what has been redeemed on chain (0 for a new one). */
export function openPayeeLedger({ redeemed = ZERO } = {}): PayeeLedger {
  return { charged: redeemed, highestCeiling: redeemed, reserved: [] };
}

export type VoucherRefusal =
  | { reason: "wrong_signer"; signer: Address; expected: Address }
  | { reason: "wrong_channel"; channelId: ChannelId; expected: ChannelId }
  | { reason: "wrong_payee"; payee: Address; expected: Address }
  | { reason: "wrong_model"; model: bigint; expected: bigint }
  | { reason: "deposit_too_small"; deposit: BaseUnits; minimum: BaseUnits }
  | { reason: "stale"; ceiling: BaseUnits; highest: BaseUnits }
  | { reason: "too_low"; ceiling: BaseUnits; needed: BaseUnits }
  | { reason: "exhausted"; ceiling: BaseUnits; available: BaseUnits };

export type VoucherVerdict = { status: "served"; ledger: PayeeLedger } | ({ status: "refused" } & VoucherRefusal);

export type VoucherContext = {
  /** The channel's terms as the payer sent them, and their id as the payee computes it. */
  channel: Channel;
  channelId: ChannelId;
  /** Recovered from the voucher's signature. */
  signer: Address;
  /** Who serves, and the asset that it is asked for. */
  payee: Address;
  model: bigint;
  /** This request's maximum by the payee's own prices. */
  maximum: BaseUnits;
  /** At k confirmations; `pendingExit` at none. 0 for a channel that does not exist. */
  deposit: BaseUnits;
  pendingExit: BaseUnits;
  /** The least deposit worth redeeming. */
  minimumDeposit?: BaseUnits;
};

/** Whether a payee serves a request for this voucher, and the ledger with the request's maximum reserved if it does. */
export function takeVoucher(ledger: PayeeLedger, voucher: Voucher, context: VoucherContext): VoucherVerdict {
  const { channel, channelId, signer, payee, model, maximum, deposit, pendingExit, minimumDeposit = ZERO } = context;
  const refused = (refusal: VoucherRefusal): VoucherVerdict => ({ status: "refused", ...refusal });
  const ceiling = voucher.maxClaimableAmount;

  if (voucher.channelId !== channelId)
    return refused({ reason: "wrong_channel", channelId: voucher.channelId, expected: channelId });
  if (!isSameAddress(channel.payee, payee))
    return refused({ reason: "wrong_payee", payee: channel.payee, expected: payee });
  if (channel.model !== model) return refused({ reason: "wrong_model", model: channel.model, expected: model });
  if (!isSameAddress(signer, channel.signer))
    return refused({ reason: "wrong_signer", signer, expected: channel.signer });
  if (ceiling <= ledger.highestCeiling) return refused({ reason: "stale", ceiling, highest: ledger.highestCeiling });
  const needed = baseUnits(ledger.charged + totalReserved(ledger) + maximum);
  if (ceiling < needed) return refused({ reason: "too_low", ceiling, needed });
  if (deposit < minimumDeposit) return refused({ reason: "deposit_too_small", deposit, minimum: minimumDeposit });
  const available = baseUnits(deposit > pendingExit ? deposit - pendingExit : 0n);
  if (ceiling > available) return refused({ reason: "exhausted", ceiling, available });

  return {
    status: "served",
    ledger: { ...ledger, highestCeiling: ceiling, reserved: [...ledger.reserved, { ceiling, maximum }] },
  };
}

/** Charges one answer: the running total grows by its price; the Answer names that total, clipped to its ceiling. */
export function chargeAnswer(
  ledger: PayeeLedger,
  { ceiling, price }: { ceiling: BaseUnits; price: BaseUnits },
): { ledger: PayeeLedger; charged: BaseUnits } {
  const total = baseUnits(ledger.charged + price);
  return {
    charged: total < ceiling ? total : ceiling,
    ledger: { ...closeReserved(ledger, ceiling), charged: total },
  };
}

/** A request that ends with nothing signed: its ceiling stays used, nothing is charged. */
export function closeReserved(ledger: PayeeLedger, ceiling: BaseUnits): PayeeLedger {
  return { ...ledger, reserved: ledger.reserved.filter((request) => request.ceiling !== ceiling) };
}

/** Sum of the maxima of the requests that are being served. */
export function totalReserved({ reserved }: PayeeLedger): BaseUnits {
  return baseUnits(reserved.reduce((total, { maximum }) => total + maximum, 0n));
}
