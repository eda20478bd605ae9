import { base64ToBytes, bytesToBase64, pricesCodec } from "@foldmark/protocol";
import { z } from "zod";
import type { Sealing } from "../store/sealing.ts";

/**
 * The request behind a voucher, kept until the voucher is closed: an Answer that is fetched after a crash is checked
 * against it. Never a caller's name, but its words as tokens: encrypted.
 */
const tensorCodec = z.codec(z.string(), z.custom<Uint8Array>(), { decode: base64ToBytes, encode: bytesToBase64 });
const evidenceCodec = z.strictObject({
  kind: z.enum(["chat", "simulation"]),
  prices: pricesCodec,
  request: z.array(tensorCodec),
  /** Chat: tokens of the prompt and the limit that the request names. Simulation: 0. */
  promptTokens: z.int(),
  limit: z.int(),
  /** Simulation: steps. Chat: 0. */
  T: z.int(),
});

export type Evidence = z.output<typeof evidenceCodec>;

const CONTEXT = "voucher evidence";

export function sealEvidence(evidence: Evidence, sealing: Sealing): Uint8Array {
  return sealing.seal(Buffer.from(JSON.stringify(z.encode(evidenceCodec, evidence))), CONTEXT);
}

/** @throws `store.damaged` */
export function openEvidence(sealed: Uint8Array, sealing: Sealing): Evidence {
  return z.decode(evidenceCodec, JSON.parse(Buffer.from(sealing.open(sealed, CONTEXT)).toString("utf8")));
}
