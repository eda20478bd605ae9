import { FoldmarkError } from "@foldmark/protocol";
import { z } from "zod";

/** What a gateway puts into an answer beside what callers of OpenAI know. */
const answer = z.looseObject({
  x_foldmark: z.looseObject({ receipt: z.unknown().optional(), receipt_url: z.string().optional() }),
});

/**
 * The receipt in a file that holds one, or that holds an answer with its receipt.
 * @throws `receipt.malformed` for an answer that says only where its receipt is
 */
export function receiptIn(json: unknown): unknown {
  const parsed = answer.safeParse(json);
  if (!parsed.success) return json;
  const { receipt, receipt_url } = parsed.data.x_foldmark;
  if (receipt !== undefined) return receipt;
  if (receipt_url === undefined) return json;
  throw new FoldmarkError("receipt.malformed", `This is an answer. Its receipt is at ${receipt_url} of its gateway.`, {
    details: { receiptUrl: receipt_url },
    hint: "Save what is there to a file, and give that file.",
  });
}
