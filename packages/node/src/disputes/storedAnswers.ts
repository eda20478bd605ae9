import {
  answerDigest,
  type BaseUnits,
  type ChannelId,
  type Domain,
  type PaymentEvent,
  toChannelId,
} from "@foldmark/protocol";
import type { Address, Hex } from "viem";
import { decodeEvidence, type Evidence } from "../serving/evidence.ts";
import { storedEvent } from "../serving/signAnswer.ts";
import type { Ledger } from "../store/ledger.ts";

/** A disputed answer of this node, from its ledger. */
export type DefendedAnswer = PaymentEvent & { channelId: ChannelId; ceiling: BaseUnits; evidence: Evidence };

/**
 * The answer behind a digest, with what defends it; undefined where the ledger has none.
 * @throws `store.damaged` where its evidence does not open
 */
export function answerByDigest(
  { ledger, domain, payee }: { ledger: Ledger; domain: Domain; payee: Address },
  disputed: { answerDigest: Hex; channelId: Hex; statementId: Hex },
): DefendedAnswer | undefined {
  const channelId = toChannelId(disputed.channelId);
  for (const { ceiling, ...stored } of ledger.answersTo(channelId, disputed.statementId)) {
    const event = storedEvent({ channelId, ceiling, payee }, stored);
    if (answerDigest(domain, event.answer) === disputed.answerDigest)
      return { ...event, channelId, ceiling, evidence: decodeEvidence(stored.evidence) };
  }
  return undefined;
}
