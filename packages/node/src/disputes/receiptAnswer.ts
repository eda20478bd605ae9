import type { Engine } from "@foldmark/machine";
import { FoldmarkError, parseReceipt, type Receipt } from "@foldmark/protocol";
import type { ChainReader, Finding } from "@foldmark/sdk";
import { verify } from "@foldmark/sdk/verify";
import type { ModelPackage } from "@foldmark/workloads";
import type { ChallengedAnswer } from "./playChallenge.ts";

/** What computing a receipt's answer again has shown. */
export type Examined = { receipt: Receipt; answer: ChallengedAnswer; isTrue: boolean; why: string };

/** Findings that decide whether a court could judge the answer at all; the others are the gateway's matter. */
const NEEDED = new Set<Finding["check"]>(["market", "model", "statement", "answer"]);

/**
 * Checks that a receipt is about this market, this package and an answer that binds its provider, and computes the answer
 * again.
 * @throws `receipt.malformed`; `receipt.check_failed` for one that no court would judge
 */
export async function examineReceipt(
  json: unknown,
  { pkg, chain, engine }: { pkg: ModelPackage; chain: ChainReader; engine?: Engine },
): Promise<Examined> {
  const receipt = parseReceipt(json);
  const { findings, execution } = await verify(json, { package: pkg, chain, ...(engine ? { engine } : {}) });
  const failed = findings.find(({ check, status }) => status === "fails" && NEEDED.has(check));
  if (failed)
    throw new FoldmarkError("receipt.check_failed", `No court would judge this answer: ${failed.detail}.`, {
      details: { check: failed.check },
    });
  const wrong = findings.find(
    ({ check, status }) => status === "fails" && (check === "execution" || check === "request"),
  );
  const { answer, answerSignature: signature, preimage, request, claimed } = receipt;
  return {
    receipt,
    answer: {
      ...{ answer, signature, preimage, program: pkg.program },
      job: { folder: pkg.dir, T: preimage.T, request, claimed },
    },
    isTrue: execution?.equal === true,
    why: execution?.equal
      ? "computed again, equal bit for bit"
      : (wrong?.detail ?? "its last stage is not 1 everywhere"),
  };
}
