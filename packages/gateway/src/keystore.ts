import { readFile, stat } from "node:fs/promises";
import { FoldmarkError } from "@foldmark/protocol";
import { decryptKeystoreJson, isKeystoreJson } from "ethers";
import { type Hex, hexToBytes } from "viem";
import { type PrivateKeyAccount, privateKeyToAccount } from "viem/accounts";

/** The gateway's key: it owns the channels, signs vouchers and receipts, and what is stored is encrypted under it. */
export type GatewayKey = { account: PrivateKeyAccount; secret: Uint8Array };

/** @throws `keystore.missing`, `keystore.permissions`, `keystore.malformed`, `keystore.wrong_password` */
export async function openKeystore(file: string, password: string): Promise<GatewayKey> {
  const json = await readOwn(file, "keystore.missing");
  if (!isKeystoreJson(json))
    throw new FoldmarkError("keystore.malformed", `${file} is no keystore (Web3 Secret Storage).`, {
      details: { file },
    });
  const privateKey = await decrypt(json, { file, password });
  return { account: privateKeyToAccount(privateKey), secret: hexToBytes(privateKey) };
}

/** The first line of a file that nobody else may read. @throws `config.unreadable`, `keystore.permissions` */
export async function readPasswordFile(file: string): Promise<string> {
  const text = await readOwn(file, "config.unreadable");
  return text.split(/\r?\n/, 1)[0] ?? "";
}

async function readOwn(file: string, missing: "keystore.missing" | "config.unreadable"): Promise<string> {
  const found = await stat(file).catch(() => undefined);
  if (!found?.isFile()) throw new FoldmarkError(missing, `There is no file ${file}.`, { details: { file } });
  if ((found.mode & 0o077) !== 0)
    throw new FoldmarkError("keystore.permissions", `Others can read ${file}.`, {
      details: { file, mode: (found.mode & 0o777).toString(8) },
      hint: `Run \`chmod 600 ${file}\`.`,
    });
  return readFile(file, "utf8");
}

async function decrypt(json: string, { file, password }: { file: string; password: string }): Promise<Hex> {
  try {
    return (await decryptKeystoreJson(json, password)).privateKey as Hex;
  } catch {
    // without the cause, which may quote what was tried
    throw new FoldmarkError("keystore.wrong_password", `The password does not open the keystore ${file}.`, {
      details: { file },
      hint: "Check --password-file.",
    });
  }
}
