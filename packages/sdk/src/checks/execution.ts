import type { Engine } from "@foldmark/machine";
import type { Receipt } from "@foldmark/protocol";
import { check, type ModelPackage, type Verdict } from "@foldmark/workloads";
import { type Finding, fails, holds } from "../finding.ts";

/** Computes the answer again, all of it, and compares. */
export function execute(receipt: Receipt, { pkg, engine }: { pkg: ModelPackage; engine: Engine }): Verdict {
  const { kind, answers, length, stopIds } = pkg.manifest;
  const { request, claimed, preimage } = receipt;
  return check(engine, { model: { kind, answers, length, stopIds }, job: { request, claimed, T: preimage.T } });
}

export function executionFinding(verdict: Verdict): Finding {
  return verdict.equal
    ? holds("execution", "computed again, equal bit for bit")
    : fails("execution", reasonOf(verdict));
}

function reasonOf(verdict: Extract<Verdict, { equal: false }>): string {
  switch (verdict.rule) {
    case "claimed_shape":
      return verdict.detail;
    case "prompt":
      return `prompt token ${verdict.position} is ${verdict.claimed}, ${verdict.expected} was asked`;
    case "token": {
      const { claimed, expected, position } = verdict;
      const given = "score" in claimed ? ` with logit ${claimed.logit} and score ${claimed.score}` : "";
      return `position ${position}: claimed token ${claimed.token}${given}; the model gives ${expected.token} with logit ${expected.logit} and score ${expected.score}`;
    }
    case "vocabulary":
      return `position ${verdict.position}: token ${verdict.claimed} is not in the vocabulary`;
    case "no_answer":
      return "there is no answer behind the prompt";
    case "ended_early":
      return `it ends at position ${verdict.position} without a stop token and before its limit`;
    case "ran_past_stop":
      return `it goes on at position ${verdict.position}, behind a stop token`;
    case "ran_past_limit":
      return `it goes on at position ${verdict.position}, behind its limit`;
    case "length":
      return `it ran ${verdict.claimed} steps, ${verdict.expected} were ordered`;
    case "result":
      return `element ${verdict.element} of the result is ${verdict.claimed}, the program gives ${verdict.expected}`;
  }
}
