import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import { FoldmarkError } from "@foldmark/protocol";

/** Encrypts and authenticates what names or contains a caller's words before it goes to the store. */
export type Sealing = {
  /** `context` (a row's id) must be the same at opening, so that no row can be passed off as another. */
  seal(plain: Uint8Array, context: string): Uint8Array;
  /** @throws `store.damaged` for bytes that were changed, or sealed under another key or context */
  open(sealed: Uint8Array, context: string): Uint8Array;
};

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** AES-256-GCM under a key derived (HKDF-SHA-256) from the gateway's own secret. Layout: nonce, tag, ciphertext. */
export function openSealing(secret: Uint8Array): Sealing {
  const key = Buffer.from(hkdfSync("sha256", secret, new Uint8Array(0), "foldmark gateway store", 32));
  return {
    seal(plain, context) {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(context));
      const body = Buffer.concat([cipher.update(plain), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), body]);
    },
    open(sealed, context) {
      const nonce = sealed.subarray(0, NONCE_BYTES);
      const tag = sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES);
      try {
        const decipher = createDecipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(context)).setAuthTag(tag);
        return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
      } catch (cause) {
        throw new FoldmarkError("store.damaged", "A stored record cannot be decrypted.", {
          cause,
          hint: "The store belongs to another keystore, or was changed.",
        });
      }
    },
  };
}
