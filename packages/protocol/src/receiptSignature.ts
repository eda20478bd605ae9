import type { Address, Hex } from "viem";
import type { Domain } from "./domain.ts";
import type { ReceiptId } from "./ids.ts";
import { recoverSigner, type Signer } from "./signature.ts";
import { typedStruct } from "./typedStruct.ts";

/**
 * A gateway's signature under a receipt. No claim, and nothing is slashed for it: it makes routing undeniable.
 * `contentHash` is SHA-256 of the receipt's canonical JSON without the signature.
 */
export type ReceiptMessage = { gateway: Address; contentHash: ReceiptId };

export const receiptStruct = typedStruct<ReceiptMessage>()("Receipt", [
  { name: "gateway", type: "address" },
  { name: "contentHash", type: "bytes32" },
]);

export async function signReceiptMessage(signer: Signer, domain: Domain, message: ReceiptMessage): Promise<Hex> {
  const { types, primaryType } = receiptStruct;
  return signer.signTypedData({ domain, types, primaryType, message });
}

/** @throws `signature.malformed` */
export async function recoverReceiptSigner(domain: Domain, message: ReceiptMessage, signature: Hex): Promise<Address> {
  return recoverSigner(receiptStruct.digest(domain, message), signature);
}
