import { tensorsRoot } from "@foldmark/machine/commitments";
import {
  type Answer,
  answerDigest,
  type BaseUnits,
  type ChannelId,
  type Domain,
  type PaymentEvent,
  type Preimage,
  statementIdOf,
  toHash,
  toStatementId,
  untilOf,
} from "@foldmark/protocol";
import { type Address, bytesToHex, type Hex } from "viem";
import type { MarketView } from "../chain/marketView.ts";
import type { Completion } from "../engine/answerEngine.ts";
import type { NodeKey } from "../keystore/keystore.ts";
import type { Ledger, StoredAnswer } from "../store/ledger.ts";
import type { AcceptedRequest } from "./admission.ts";
import { decodeEvidence, type Evidence, encodeEvidence } from "./evidence.ts";
import { priceOf } from "./price.ts";

export type SignAnswerDeps = { payee: Address; domain: Domain; key: NodeKey; ledger: Ledger; market: MarketView };

/**
 * Signs a completed answer and stores it with its evidence, in one transaction: what is returned is on disk and may be
 * released. Claim and charge are one signature.
 * @throws `answer.unknown` when the voucher is no longer in flight
 */
export function signAnswer(accepted: AcceptedRequest, completion: Completion, deps: SignAnswerDeps): PaymentEvent {
  const { channelId, ceiling, model, prices, size } = accepted;
  const { payee, domain, key, ledger, market } = deps;
  const { header, programRoot, weightsRoot } = model;
  const preimage: Preimage = {
    ...{ header, programRoot, weightsRoot },
    requestRoot: rootOf(completion.request),
    T: completion.T,
    claimedRoot: rootOf(completion.claimed),
  };
  const statementId = statementIdOf(preimage);
  const now = market.now();
  const until = untilOf({ now, windowSeconds: market.terms.windowSeconds });
  const answerTokens = size.kind === "chat" ? completion.T - size.promptTokens : 0;
  const evidence: Evidence = {
    ...{ preimage, request: completion.request, claimed: completion.claimed },
    isWhole: size.kind === "simulation",
  };
  const base = { payee, statementId, channelId, maxClaimableAmount: ceiling, until };
  const stored = ledger.answer(
    { channelId, ceiling, price: priceOf(size, prices, answerTokens), at: Number(now) },
    (charged) => ({
      ...{ statementId, until: Number(until), evidence: encodeEvidence(evidence) },
      signature: key.signDigest(answerDigest(domain, { ...base, charged })),
    }),
  );
  return event({ ...base, charged: stored.charged }, stored.signature, evidence);
}

/** The payment event of an answer that was stored. */
export function storedEvent(
  { channelId, ceiling, payee }: { channelId: ChannelId; ceiling: BaseUnits; payee: Address },
  { statementId, until, charged, signature, evidence }: StoredAnswer,
): PaymentEvent {
  const answer: Answer = {
    ...{ payee, channelId, charged, statementId: toStatementId(statementId) },
    maxClaimableAmount: ceiling,
    until: BigInt(until),
  };
  return event(answer, signature, decodeEvidence(evidence));
}

const rootOf = (tensors: Uint8Array[]) => toHash(bytesToHex(tensorsRoot(tensors)));

function event(answer: Answer, signature: Hex, { preimage, claimed, isWhole }: Evidence): PaymentEvent {
  return { answer, signature, preimage, ...(isWhole ? { claimed } : {}) };
}
