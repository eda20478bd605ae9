import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import { FoldmarkError } from "@foldmark/protocol";
import { decryptKeystoreJson, encryptKeystoreJson, isKeystoreJson, SigningKey, Wallet } from "ethers";
import { type Address, type Hex, hexToBytes } from "viem";
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";

/** A key that is open in this process. */
export type NodeKey = {
  address: Address;
  /** Sends transactions and signs typed data. */
  account: PrivateKeyAccount;
  /** 65 bytes r || s || v over a digest, at once: an Answer is signed inside the transaction that stores it. */
  signDigest(digest: Hex): Hex;
  /** What other keys of this node are derived from. */
  secret(): Uint8Array;
};

/** Passwords shorter than this are guessed too easily for a key that money hangs on. */
export const PASSWORD_LENGTH = 12;

/**
 * Makes a new key and writes it as Web3 Secret Storage, readable by its owner only. The file is read back and must open
 * before anything relies on it.
 * @throws `keystore.malformed` when a keystore is there already, `config.invalid` for a short password
 */
export async function createKeystore(file: string, password: string): Promise<NodeKey> {
  if (existsSync(file))
    throw new FoldmarkError("keystore.malformed", `There is a keystore already: ${file}.`, { details: { file } });
  if (password.length < PASSWORD_LENGTH)
    throw new FoldmarkError("config.invalid", `The password has ${password.length} characters.`, {
      hint: `Take at least ${PASSWORD_LENGTH}.`,
    });
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  chmodSync(path.dirname(file), 0o700);
  const { address, privateKey } = Wallet.createRandom();
  writeFileSync(file, await encryptKeystoreJson({ address, privateKey }, password), { mode: 0o600, flag: "wx" });
  return openKeystore(file, password);
}

/** @throws `keystore.missing`, `keystore.permissions`, `keystore.malformed`, `keystore.wrong_password` */
export async function openKeystore(file: string, password: string): Promise<NodeKey> {
  if (!existsSync(file))
    throw new FoldmarkError("keystore.missing", `There is no keystore at ${file}.`, {
      details: { file },
      hint: "Run `foldmark init` first.",
    });
  const mode = statSync(file).mode & 0o777;
  if (mode & 0o077)
    throw new FoldmarkError(
      "keystore.permissions",
      `Others can read the keystore ${file} (mode ${mode.toString(8)}).`,
      {
        details: { file, mode: mode.toString(8) },
        hint: `Run \`chmod 600 ${file}\`.`,
      },
    );
  return nodeKey(await decrypt(file, password));
}

/** The address that a keystore names, without opening it. @throws `keystore.missing`, `keystore.malformed` */
export function keystoreAddress(file: string): Address {
  if (!existsSync(file))
    throw new FoldmarkError("keystore.missing", `There is no keystore at ${file}.`, {
      hint: "Run `foldmark init` first.",
    });
  const json = readFileSync(file, "utf8");
  if (!isKeystoreJson(json)) throw malformed(file);
  return `0x${String(JSON.parse(json).address).replace(/^0x/, "")}`;
}

export function nodeKey(privateKey: Hex): NodeKey {
  const account = privateKeyToAccount(privateKey);
  const signingKey = new SigningKey(privateKey);
  return {
    address: account.address,
    account,
    signDigest: (digest) => signingKey.sign(digest).serialized as Hex,
    secret: () => hexToBytes(privateKey),
  };
}

async function decrypt(file: string, password: string): Promise<Hex> {
  const json = readFileSync(file, "utf8");
  if (!isKeystoreJson(json)) throw malformed(file);
  try {
    return (await decryptKeystoreJson(json, password)).privateKey as Hex;
  } catch {
    // the cause is left out on purpose: it may quote what was typed
    throw new FoldmarkError("keystore.wrong_password", `The password does not open the keystore ${file}.`, {
      details: { file },
      hint: "Check --password-file.",
    });
  }
}

const malformed = (file: string) =>
  new FoldmarkError("keystore.malformed", `${file} is no Web3 Secret Storage keystore.`, {
    details: { file },
    hint: "Restore it from a backup.",
  });
