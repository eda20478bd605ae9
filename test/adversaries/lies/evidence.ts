// What a payer holds of an answer, and hands to whoever challenges it: JSON, as processes pass it on.
import type { Job, ProgramBytes } from "@foldmark/machine";
import { type PaymentEvent, paymentEventCodec } from "@foldmark/protocol";
import { type Hex, hexToBytes, toHex } from "viem";
import { z } from "zod";
import type { LieName } from "./lies.ts";
import type { ModelName } from "./models.ts";

/** One answer, signed. `bytes` is the program where it is none that could be read. */
export type Evidence = PaymentEvent & {
  name: string;
  lie: LieName;
  /** Name of the payee's key. */
  payee: string;
  ordered: { model: ModelName; request: Uint8Array[] };
  received: { T: number; claimed: Uint8Array[] };
  job: Job;
  bytes: ProgramBytes | undefined;
};

const bytes = z.codec(z.string(), z.instanceof(Uint8Array), {
  decode: (hex) => hexToBytes(hex as Hex) as Uint8Array<ArrayBuffer>,
  encode: (data) => toHex(data),
});
const tensors = z.array(bytes);
const evidenceCodec = z.strictObject({
  ...paymentEventCodec.shape,
  ...{
    name: z.string(),
    lie: z.string(),
    payee: z.string(),
    ordered: z.strictObject({ model: z.string(), request: tensors }),
  },
  received: z.strictObject({ T: z.number(), claimed: tensors }),
  job: z.strictObject({ T: z.number(), request: tensors, claimed: tensors }),
  bytes: z.strictObject({ header: bytes, records: tensors, codes: z.array(tensors) }).optional(),
});

export const encodeEvidence = (evidence: Evidence): unknown =>
  z.encode(evidenceCodec, evidence as unknown as z.output<typeof evidenceCodec>);
export const decodeEvidence = (json: unknown): Evidence =>
  z.decode(evidenceCodec, json as z.input<typeof evidenceCodec>) as unknown as Evidence;
