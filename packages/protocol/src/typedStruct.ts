import { concat, type Hex, keccak256, numberToHex, pad, stringToHex } from "viem";
import { type Domain, typedDataDigest } from "./domain.ts";

/** The only member types that our structs use: each is one 32-byte word, so a struct hash is one concatenation. */
type WordType = "address" | "bytes32" | "uint256" | "uint128" | "uint64";
type WordField<Message> = { readonly name: keyof Message & string; readonly type: WordType };

/**
 * Declares an EIP-712 struct of words once; type string, type hash and digest follow from its fields.
 * Called in two steps, because the message's type is named and the fields' types are inferred.
 */
export function typedStruct<Message extends Record<keyof Message, string | bigint>>() {
  return <const Name extends string, const Fields extends readonly WordField<Message>[]>(
    primaryType: Name,
    fields: Fields,
  ) => {
    const typeHash = keccak256(
      stringToHex(`${primaryType}(${fields.map(({ type, name }) => `${type} ${name}`).join(",")})`),
    );
    return {
      primaryType,
      /** What a wallet's `signTypedData` takes. */
      types: { [primaryType]: fields } as { readonly [N in Name]: Fields },
      typeHash,
      /** EIP-712 digest. Throws viem's `IntegerOutOfRangeError` when a number does not fit its own width. */
      digest(domain: Domain, message: Message): Hex {
        const words = fields.map(({ name, type }) => word(type, message[name]));
        return typedDataDigest(domain, keccak256(concat([typeHash, ...words])));
      },
    };
  };
}

function word(type: WordType, value: string | bigint): Hex {
  if (typeof value === "string") return pad(value as Hex, { size: 32 });
  numberToHex(value, { size: Number(type.slice("uint".length)) / 8 }); // throws when it does not fit
  return numberToHex(value, { size: 32 });
}
