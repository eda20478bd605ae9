import { codeOf, FoldmarkError, type SkipReason } from "@foldmark/protocol";

/** A provider that was asked, or passed over, without giving the answer. `tokens` is what it had delivered. */
export type Skipped = { provider: `0x${string}`; reason: SkipReason; tokens: number };

/** Reasons that say nothing about a provider's reliability. */
const HARMLESS = new Set<SkipReason>(["busy", "no_funds", "price_changed", "backing_off"]);

export const countsAgainst = (reason: SkipReason): boolean => !HARMLESS.has(reason);

/**
 * Why a provider was replaced, from what was thrown while it was asked. What is no failure of a provider (the caller has
 * gone, a bug of ours) is thrown on.
 */
export function skipReasonOf(error: unknown): SkipReason {
  const code = codeOf(error);
  switch (code) {
    case "provider.unreachable":
    case "provider.endpoint_refused":
      return "unreachable";
    case "provider.stalled":
      return "stalled";
    case "node.busy":
      return "busy";
    case "provider.malformed":
      return "failed";
    case "provider.mismatch":
      return "mismatch";
    case "provider.answer_refused":
      return reasonOfRefusal(error);
    case "channel.exhausted":
    case "voucher.wrong_signer":
    case "chain.insufficient_funds":
    case "chain.reverted":
      return "no_funds";
    default:
      throw error;
  }
}

/** By the code with which the provider itself refused. */
function reasonOfRefusal(error: unknown): SkipReason {
  const refused = error instanceof FoldmarkError ? error.details.refused : undefined;
  if (typeof refused !== "string") return "failed";
  if (refused === "node.busy") return "busy";
  if (refused === "price.changed") return "price_changed";
  if (refused.startsWith("voucher.") || refused.startsWith("channel.")) return "no_funds";
  if (refused.startsWith("node.") || refused === "model.unknown" || refused === "stake.too_low") return "not_serving";
  return "failed";
}
