import { bytesCodec, type Preimage, preimageSchema } from "@foldmark/protocol";
import { z } from "zod";

/** What defends an answer: the preimage of its statement, and every request and claimed tensor. */
export type Evidence = {
  preimage: Preimage;
  request: Uint8Array[];
  claimed: Uint8Array[];
  /** Whether the payer cannot know the claimed tensors from the stream, so that they are sent with the Answer. */
  isWhole: boolean;
};

const evidenceCodec = z.strictObject({
  preimage: preimageSchema,
  request: z.array(bytesCodec),
  claimed: z.array(bytesCodec),
  isWhole: z.boolean(),
});

export function encodeEvidence(evidence: Evidence): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(z.encode(evidenceCodec, evidence)));
}

export function decodeEvidence(bytes: Uint8Array): Evidence {
  return z.decode(evidenceCodec, JSON.parse(new TextDecoder().decode(bytes)));
}
