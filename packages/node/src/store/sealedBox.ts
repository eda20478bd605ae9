import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { FoldmarkError } from "@foldmark/protocol";

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Encrypts what must be kept but not read by others. `label` is bound to the box: a box moved elsewhere does not open. */
export type SealedBox = {
  seal(plain: Uint8Array, label: string): Uint8Array;
  /** @throws `store.damaged` when the box was changed, moved, or sealed with another key */
  open(sealed: Uint8Array, label: string): Uint8Array;
};

/** AES-256-GCM under a key that HKDF-SHA-256 derives from a keystore's private key: who has the key reads the evidence. */
export function sealedBox(privateKey: Uint8Array): SealedBox {
  const key = new Uint8Array(hkdfSync("sha256", privateKey, "", "foldmark/evidence/1", 32));
  return {
    seal(plain, label) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(label));
      return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    },
    open(sealed, label) {
      try {
        const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, NONCE_BYTES))
          .setAAD(Buffer.from(label))
          .setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
        return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
      } catch (cause) {
        throw new FoldmarkError("store.damaged", `The evidence of ${label} does not open with this keystore.`, {
          hint: "Start the node with the keystore that signed this answer, or restore the ledger from a backup.",
          cause,
        });
      }
    },
  };
}
