import { FoldmarkError } from "@foldmark/protocol";
import { type Address, type Hex, isHex, recoverMessageAddress } from "viem";

/** The header in which a challenger shows that a request is its own: `<challenge id>.<until>.<signature>`. */
export const ACCESS_HEADER = "foldmark-dispute";

/** How long a signed access is good for at most, in seconds. */
export const ACCESS_SECONDS = 3_600n;

/** What a challenger signs (EIP-191), once for many requests. Activations tell of prompts: nobody else is shown the tree. */
const messageOf = ({ id, until }: { id: Hex; until: bigint }) =>
  `Foldmark: show me the tree of dispute ${id} until ${until}`;

type MessageSigner = { signMessage(of: { message: string }): Promise<Hex> };

export async function signAccess(signer: MessageSigner, of: { id: Hex; until: bigint }): Promise<string> {
  return `${of.id}.${of.until}.${await signer.signMessage({ message: messageOf(of) })}`;
}

export type Access = { id: Hex; until: bigint; signer: Address };

/** @throws `auth.invalid_key` for a header that is none, or that nobody signed */
export async function readAccess(header: string | undefined): Promise<Access> {
  const [id = "", time = "", signature = ""] = (header ?? "").split(".");
  if (!/^0x[0-9a-f]{64}$/.test(id) || !/^[0-9]{1,15}$/.test(time) || !isHex(signature) || signature.length !== 132)
    throw refused("It does not say who asks");
  const of = { id: id as Hex, until: BigInt(time) };
  try {
    return { ...of, signer: await recoverMessageAddress({ message: messageOf(of), signature }) };
  } catch (cause) {
    throw refused("Its signature is none", cause);
  }
}

const refused = (why: string, cause?: unknown) =>
  new FoldmarkError(
    "auth.invalid_key",
    `${why}: the header ${ACCESS_HEADER} holds id, time and signature of a challenge.`,
    {
      hint: "Sign `Foldmark: show me the tree of dispute ID until UNIXSECONDS` with the challenger's key.",
      ...(cause === undefined ? {} : { cause }),
    },
  );
