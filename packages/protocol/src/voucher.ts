import type { Address, Hex } from "viem";
import { z } from "zod";
import type { Domain } from "./domain.ts";
import { type ChannelId, channelIdSchema } from "./ids.ts";
import { type BaseUnits, baseUnitsCodec } from "./money.ts";
import { recoverSigner, type Signer } from "./signature.ts";
import { typedStruct } from "./typedStruct.ts";

/** A payer's promise. Cumulative: a lost or repeated voucher changes nothing, the highest one counts. It never expires. */
export type Voucher = {
  channelId: ChannelId;
  /** The most that may have been redeemed in all since the channel was opened: its ceiling. */
  maxClaimableAmount: BaseUnits;
};

export type SignedVoucher = { voucher: Voucher; signature: Hex };

export const voucherStruct = typedStruct<Voucher>()("Voucher", [
  { name: "channelId", type: "bytes32" },
  { name: "maxClaimableAmount", type: "uint128" },
]);

export const voucherDigest = (domain: Domain, voucher: Voucher): Hex => voucherStruct.digest(domain, voucher);

export async function signVoucher(signer: Signer, domain: Domain, voucher: Voucher): Promise<Hex> {
  const { types, primaryType } = voucherStruct;
  return signer.signTypedData({ domain, types, primaryType, message: voucher });
}

/** The key that signed a voucher; it counts only if it is the channel's `signer`. @throws `signature.malformed` */
export async function recoverVoucherSigner(domain: Domain, { voucher, signature }: SignedVoucher): Promise<Address> {
  return recoverSigner(voucherDigest(domain, voucher), signature);
}

/** zod schema of a voucher in JSON; the ceiling is a decimal string. */
export const voucherCodec = z.strictObject({ channelId: channelIdSchema, maxClaimableAmount: baseUnitsCodec });
