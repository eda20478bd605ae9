import { digest } from "@chainsafe/as-sha256";

type Sha256 = (bytes: Uint8Array) => Uint8Array;

/**
 * SHA-256. Node's own where there is one, WebAssembly in a browser: `node:crypto` is asked for at run time, so that a
 * bundle for browsers does not name it.
 */
export const sha256: Sha256 = nodeSha256() ?? digest;

function nodeSha256(): Sha256 | undefined {
  const crypto = globalThis.process?.getBuiltinModule?.("node:crypto");
  if (crypto?.hash === undefined) return undefined;
  return (bytes) => {
    const hash = crypto.hash("sha256", bytes, "buffer");
    return new Uint8Array(hash.buffer, hash.byteOffset, hash.byteLength); // a Buffer slices and prints unlike a Uint8Array
  };
}

/** `SHA-256(prefix || parts)`: every hash of the machine starts with a byte that says what is hashed. */
export function taggedHash(tag: number, parts: readonly Uint8Array[]): Uint8Array {
  const message = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 1));
  message[0] = tag;
  let at = 1;
  for (const part of parts) {
    message.set(part, at);
    at += part.length;
  }
  return sha256(message);
}

/** `SHA-256(00 || bytes)`. */
export const leafHash = (bytes: Uint8Array): Uint8Array => taggedHash(0, [bytes]);

/** `SHA-256(01 || left || right)`. */
export const nodeHash = (left: Uint8Array, right: Uint8Array): Uint8Array => taggedHash(1, [left, right]);
