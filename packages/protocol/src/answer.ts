import type { Address, Hex } from "viem";
import { z } from "zod";
import type { Domain } from "./domain.ts";
import { addressSchema, type ChannelId, channelIdSchema, type StatementId, statementIdSchema } from "./ids.ts";
import { type BaseUnits, baseUnitsCodec } from "./money.ts";
import { recoverSigner, type Signer } from "./signature.ts";
import { typedStruct } from "./typedStruct.ts";

/** Claim and charge in one signature, by the payee or its operator: one for each answer, one for each ceiling. */
export type Answer = {
  /** Whose stake and held income answer for it. */
  payee: Address;
  statementId: StatementId;
  /** With `maxClaimableAmount`: the voucher that this answers. */
  channelId: ChannelId;
  maxClaimableAmount: BaseUnits;
  /** The payee's running total on that channel when it signed, at most the ceiling. */
  charged: BaseUnits;
  /** Last second (unix, chain time) in which a challenge may be opened. */
  until: bigint;
};

export type SignedAnswer = { answer: Answer; signature: Hex };

export const answerStruct = typedStruct<Answer>()("Answer", [
  { name: "payee", type: "address" },
  { name: "statementId", type: "bytes32" },
  { name: "channelId", type: "bytes32" },
  { name: "maxClaimableAmount", type: "uint128" },
  { name: "charged", type: "uint128" },
  { name: "until", type: "uint64" },
]);

export const answerDigest = (domain: Domain, answer: Answer): Hex => answerStruct.digest(domain, answer);

export async function signAnswer(signer: Signer, domain: Domain, answer: Answer): Promise<Hex> {
  const { types, primaryType } = answerStruct;
  return signer.signTypedData({ domain, types, primaryType, message: answer });
}

/** The key that signed an answer; whether it binds the payee is the question of `acceptance.ts`. @throws `signature.malformed` */
export async function recoverAnswerSigner(domain: Domain, { answer, signature }: SignedAnswer): Promise<Address> {
  return recoverSigner(answerDigest(domain, answer), signature);
}

/** zod codec: unix seconds, a number in JSON <-> bigint inside. */
export const secondsCodec = z.codec(z.int().min(0), z.bigint(), { decode: BigInt, encode: Number });

/** zod schema of an answer in JSON; amounts are decimal strings, `until` is a number. */
export const answerCodec = z.strictObject({
  payee: addressSchema,
  statementId: statementIdSchema,
  channelId: channelIdSchema,
  maxClaimableAmount: baseUnitsCodec,
  charged: baseUnitsCodec,
  until: secondsCodec,
});
