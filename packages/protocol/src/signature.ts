import {
  type Address,
  compactSignatureToSignature,
  type Hex,
  type LocalAccount,
  parseSignature,
  recoverAddress,
  serializeSignature,
  signatureToCompactSignature,
} from "viem";
import { FoldmarkError } from "./errors.ts";
import { hexSchema } from "./ids.ts";

/** Whoever can sign our typed data: a viem local account, or anything with its two members. */
export type Signer = Pick<LocalAccount, "address" | "signTypedData">;

/** EIP-2098: what the contracts take. */
export type CompactSignature = { r: Hex; vs: Hex };

const HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n;

/** 65 bytes r || s || v in lower-case hex. Low s and v are checked at recovery. */
export const signatureSchema = hexSchema<Hex>(
  /^0x[0-9a-f]{130}$/,
  "must be a signature: 0x and 130 lower-case hex digits",
);

/**
 * The address whose plain key signed a digest. Contract signatures never count here.
 * @throws `signature.malformed` unless 65 bytes with v 27 or 28 and s in the lower half of the order: the contracts
 * refuse the malleable twin, so nobody may be paid or bound by it
 */
export async function recoverSigner(digest: Hex, signature: Hex): Promise<Address> {
  requireWellFormed(signature);
  try {
    return await recoverAddress({ hash: digest, signature });
  } catch (cause) {
    throw malformed(signature, "no public key fits it", cause);
  }
}

/** @throws `signature.malformed`, by the same rule as `recoverSigner`: what does not count is not sent to a contract */
export function toCompactSignature(signature: Hex): CompactSignature {
  requireWellFormed(signature);
  const { r, yParityAndS } = signatureToCompactSignature(parseSignature(signature));
  return { r, vs: yParityAndS };
}

export function fromCompactSignature({ r, vs }: CompactSignature): Hex {
  return serializeSignature(compactSignatureToSignature({ r, yParityAndS: vs }));
}

function requireWellFormed(signature: Hex): void {
  if (!/^0x[0-9a-fA-F]{130}$/.test(signature)) throw malformed(signature, "not 65 bytes of hex");
  const s = BigInt(`0x${signature.slice(66, 130)}`);
  const v = Number.parseInt(signature.slice(130), 16);
  if (s > HALF_ORDER || s === 0n || (v !== 27 && v !== 28)) throw malformed(signature, `s or v (${v}) is out of range`);
}

function malformed(signature: string, why: string, cause?: unknown): FoldmarkError {
  return new FoldmarkError("signature.malformed", `The signature is malformed: ${why}.`, {
    details: { signature: signature.slice(0, 140) },
    cause,
  });
}
