import { type Address, concat, encodeAbiParameters, type Hex, keccak256, stringToHex } from "viem";

/** EIP-712 domain of all four signed types: the payment channels' contract on its chain. */
export type Domain = {
  readonly name: "Foldmark";
  readonly version: "1";
  readonly chainId: number;
  readonly verifyingContract: Address;
};

export function foldmarkDomain({ chainId, channels }: { chainId: number; channels: Address }): Domain {
  return { name: "Foldmark", version: "1", chainId, verifyingContract: channels };
}

const DOMAIN_TYPE_HASH = keccak256(
  stringToHex("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
);

// hashing the domain anew costs most of a typed-data digest, and a process knows only a handful of domains
const separators = new Map<string, Hex>();

/** What the contract's `DOMAIN_SEPARATOR()` returns. */
export function domainSeparator(domain: Domain): Hex {
  const key = `${domain.chainId}:${domain.verifyingContract.toLowerCase()}`;
  const known = separators.get(key);
  if (known) return known;
  const separator = keccak256(
    encodeAbiParameters(
      [{ type: "bytes32" }, { type: "bytes32" }, { type: "bytes32" }, { type: "uint256" }, { type: "address" }],
      [
        DOMAIN_TYPE_HASH,
        keccak256(stringToHex(domain.name)),
        keccak256(stringToHex(domain.version)),
        BigInt(domain.chainId),
        domain.verifyingContract,
      ],
    ),
  );
  separators.set(key, separator);
  return separator;
}

/** EIP-712 digest: keccak256(0x1901 || domain separator || struct hash). */
export function typedDataDigest(domain: Domain, structHash: Hex): Hex {
  return keccak256(concat(["0x1901", domainSeparator(domain), structHash]));
}
