import type { Address, Hex } from "viem";
import { z } from "zod";
import type { Domain } from "./domain.ts";
import {
  addressSchema,
  assetIdFromUint,
  assetIdSchema,
  assetIdToUint,
  bytes32Schema,
  type ChannelId,
  toChannelId,
} from "./ids.ts";
import { typedStruct } from "./typedStruct.ts";

/** Immutable terms of a payment channel; the same struct as the contract's. */
export type Channel = {
  /** Owns the deposit and gets the rest back. */
  payer: Address;
  /** The plain key whose vouchers count. */
  signer: Address;
  payee: Address;
  /** Token id of the asset whose royalty is split off; 0 for a plain payment. */
  model: bigint;
  /** Tells apart a payer's channels to one payee; 32 bytes. */
  salt: Hex;
};

export const channelStruct = typedStruct<Channel>()("Channel", [
  { name: "payer", type: "address" },
  { name: "signer", type: "address" },
  { name: "payee", type: "address" },
  { name: "model", type: "uint256" },
  { name: "salt", type: "bytes32" },
]);

/** A channel is named by the EIP-712 digest of its terms, never by a number beside them. */
export function channelIdOf(domain: Domain, channel: Channel): ChannelId {
  return toChannelId(channelStruct.digest(domain, channel));
}

/** zod codec: terms in JSON (`model` as 32 bytes of hex) <-> `Channel`. */
export const channelCodec = z.codec(
  z.strictObject({
    payer: addressSchema,
    signer: addressSchema,
    payee: addressSchema,
    model: assetIdSchema,
    salt: bytes32Schema,
  }),
  z.custom<Channel>(),
  {
    decode: (json): Channel => ({ ...json, model: assetIdToUint(json.model) }),
    encode: (channel) => ({ ...channel, model: assetIdFromUint(channel.model) }),
  },
);
