import { type Address, getAddress, type Hex, isAddress } from "viem";
import { z } from "zod";
import { FoldmarkError } from "./errors.ts";

declare const brand: unique symbol;
/** 32 bytes as 0x and 64 lower-case hex digits, branded with what they name. */
export type Id<Name extends string> = Hex & { readonly [brand]: Name };

/** EIP-712 digest of a channel's terms. */
export type ChannelId = Id<"ChannelId">;
/** What an answer states: program, weights, request, T, answer. */
export type StatementId = Id<"StatementId">;
/** Program and weights. */
export type ModelId = Id<"ModelId">;
/** Model and request. */
export type JobId = Id<"JobId">;
/** A registered model with its manifest; the ERC-721 token id in hex. */
export type AssetId = Id<"AssetId">;
/** Content hash of a receipt. */
export type ReceiptId = Id<"ReceiptId">;
/** A tree root, or another plain SHA-256. */
export type Hash = Id<"Hash">;

const HASH = /^0x[0-9a-f]{64}$/;

export const isHash = (text: string): boolean => HASH.test(text);

/** A string schema whose type is the branded or template type that its pattern guarantees. */
export function hexSchema<T extends Hex>(pattern: RegExp, message: string) {
  return z.string().regex(pattern, message) as unknown as z.ZodType<T, T>;
}

/** zod schema of any 32-byte id: lower-case hex, nothing else is canonical. */
function idSchema<Name extends string>(name: Name) {
  return hexSchema<Id<Name>>(HASH, `must be a ${name}: 0x and 64 lower-case hex digits`);
}
export const channelIdSchema = idSchema("ChannelId");
export const statementIdSchema = idSchema("StatementId");
export const modelIdSchema = idSchema("ModelId");
export const assetIdSchema = idSchema("AssetId");
export const hashSchema = idSchema("Hash");

/** An address in, its EIP-55 form out; mixed case must already have the right checksum. */
export const addressSchema = z
  .string()
  .refine((text) => isAddress(text), {
    error: "must be an address: 0x and 40 hex digits, with a right checksum if in mixed case",
    abort: true, // what follows takes addresses only
  })
  .overwrite((text) => getAddress(text)) as unknown as z.ZodType<Address, Address>;

/** Any 32 bytes, such as a salt. */
export const bytes32Schema = hexSchema<Hex>(HASH, "must be 32 bytes: 0x and 64 lower-case hex digits");

/** 0x and an even number of lower-case hex digits. */
export const bytesSchema = hexSchema<Hex>(/^0x([0-9a-f]{2})*$/, "must be 0x and pairs of lower-case hex digits");

/** A branded id from text in any case. @throws `id.malformed` */
function idFrom<Name extends string>(name: Name) {
  return (text: string): Id<Name> => {
    const lower = text.toLowerCase();
    if (!HASH.test(lower))
      throw new FoldmarkError("id.malformed", `"${text}" is no ${name}: expected 0x and 64 hex digits.`, {
        details: { got: text, expected: name },
      });
    return lower as Id<Name>;
  };
}
export const toChannelId = idFrom("ChannelId");
export const toStatementId = idFrom("StatementId");
export const toModelId = idFrom("ModelId");
export const toJobId = idFrom("JobId");
export const toAssetId = idFrom("AssetId");
export const toReceiptId = idFrom("ReceiptId");
export const toHash = idFrom("Hash");

/** The contracts know an asset as a `uint256` token id. */
export function assetIdToUint(id: AssetId): bigint {
  return BigInt(id);
}

export function assetIdFromUint(tokenId: bigint): AssetId {
  return toAssetId(`0x${tokenId.toString(16).padStart(64, "0")}`);
}

/** @throws `id.malformed` */
export function toAddress(text: string): Address {
  const parsed = addressSchema.safeParse(text);
  if (!parsed.success)
    throw new FoldmarkError("id.malformed", `"${text}" is no address.`, {
      details: { got: text, expected: "address" },
    });
  return parsed.data;
}

export function isSameAddress(a: Address, b: Address): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
