import { z } from "zod";

/** Canonical base64 (RFC 4648 section 4, with padding). Whether the unused bits are zero is checked when it is decoded. */
export const base64Schema = z.base64();

const CHUNK = 0x8000; // arguments of one call of fromCharCode

export function bytesToBase64(bytes: Uint8Array): string {
  let binary = "";
  for (let at = 0; at < bytes.length; at += CHUNK) binary += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  return btoa(binary);
}

export function base64ToBytes(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** zod codec: base64 in JSON <-> bytes. Text that another encoder would spell differently is refused. */
export const bytesCodec = z.codec(
  base64Schema,
  z.custom<Uint8Array>((value) => value instanceof Uint8Array),
  {
    decode: (text, context) => {
      const bytes = base64ToBytes(text);
      if (bytesToBase64(bytes) === text) return bytes;
      context.issues.push({ code: "custom", message: "must be canonical base64", input: text });
      return z.NEVER;
    },
    encode: bytesToBase64,
  },
);
