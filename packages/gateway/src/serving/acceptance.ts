import {
  type AnswerVerdict,
  type BaseUnits,
  FoldmarkError,
  foldmarkDomain,
  type Payment,
  type PaymentEvent,
  type Preimage,
  type Prices,
  recoverAnswerSigner,
  type SignedAnswer,
  statementIdOf,
} from "@foldmark/protocol";
import { tokenBytes, withLimit } from "@foldmark/workloads";
import { type ChatJob, priceOfChat } from "./chatJob.ts";
import type { ServingDeps } from "./dependencies.ts";
import { preimageOf } from "./statement.ts";

/** An answer that counts: checked, booked, and complete evidence. */
export type Accepted = {
  payment: Payment;
  signed: SignedAnswer;
  preimage: Preimage;
  prices: Prices;
  price: BaseUnits;
  request: Uint8Array[];
  claimed: Uint8Array[];
};

type AcceptanceDeps = Pick<ServingDeps, "market" | "payer">;

/** What is to be accepted: the statement as this gateway computes it, never as the provider says it. */
export type Claim = Omit<Accepted, "signed"> & { event: PaymentEvent };

/**
 * Accepts an Answer by the protocol's rule.
 * @throws `provider.mismatch` for another statement than ours, `provider.answer_refused` for any other refusal
 */
export async function accept({ event, ...claim }: Claim, deps: AcceptanceDeps): Promise<Accepted> {
  const verdict = await acceptBy({ ...claim, event }, deps);
  if (verdict.status === "accepted") {
    const { answer, signature } = event;
    return { ...claim, signed: { answer, signature } };
  }
  const code = verdict.reason === "wrong_statement" ? "provider.mismatch" : "provider.answer_refused";
  throw new FoldmarkError(code, `The provider's answer was refused: ${verdict.reason}.`, {
    details: { provider: claim.payment.payload.channel.payee, reason: verdict.reason },
  });
}

/**
 * The protocol's verdict on an Answer, booked. `isLate`: nobody is shown this answer any more, so it need not be open to
 * a challenge for the whole window from now; what is judged is the moment at which it was signed.
 * @throws `provider.malformed` for a signature that is none
 */
export async function acceptBy(
  {
    payment,
    event,
    preimage,
    price,
    isLate = false,
  }: Pick<Claim, "payment" | "event" | "preimage" | "price"> & { isLate?: boolean },
  { market, payer }: AcceptanceDeps,
): Promise<AnswerVerdict> {
  const { answer, signature } = event;
  const { payee } = payment.payload.channel;
  const key = await signerOf({ answer, signature }, payment);
  const { terms } = market;
  const now = market.chainNow();
  const signedAt = answer.until - terms.windowSeconds;
  return payer.accept(payment, answer, {
    statementId: statementIdOf(preimage),
    price,
    key,
    answerableUntil: market.answerableUntil(payee, key),
    stake: market.stakeOf(payee),
    terms,
    now: isLate && signedAt < now ? signedAt : now,
  });
}

/**
 * The claim of a chat's payment event, from the tokens that were received.
 * @param cutAt - the number of tokens at which the answer was cut, if it was: the statement may then be that of the
 * request with its limit lowered to it
 * @throws `provider.mismatch` for an answer of another length
 */
export function claimOfChat(
  job: ChatJob,
  of: {
    payment: Payment;
    prices: Prices;
    event: PaymentEvent;
    received: readonly number[];
    cutAt?: number | undefined;
  },
): Claim & { tokens: number[] } {
  const { payment, prices, event, received, cutAt } = of;
  const count = event.preimage.T - job.prompt.length;
  const tokens = received.slice(0, Math.max(0, count));
  const isWhole = count === job.limit || job.model.stopIds.has(tokens.at(-1) ?? -1);
  if (count < 1 || count > received.length || !(isWhole || count === cutAt))
    throw new FoldmarkError("provider.mismatch", "The provider signed an answer of another length than it gave.", {
      details: { signed: count, received: received.length },
    });
  const claimed = [tokenBytes([...job.prompt, ...tokens])];
  const candidates = [...(isWhole ? [job.limit] : []), ...(count === cutAt ? [count] : [])].map((limit) => {
    const request = limit === job.limit ? job.request : withLimit(job.request, limit);
    return { request, preimage: preimageOf(job.model, { request, claimed, T: event.preimage.T }) };
  });
  // both may be possible when an answer is cut where it ends anyway: the signature says which one it is
  const chosen =
    candidates.find(({ preimage }) => statementIdOf(preimage) === event.answer.statementId) ?? candidates[0];
  if (!chosen) throw new FoldmarkError("internal.bug", "An answer of an allowed length has no statement.");
  const price = priceOfChat({ promptTokens: job.prompt.length, answerTokens: count }, prices);
  return { payment, prices, event, price, claimed, tokens, ...chosen };
}

async function signerOf(signed: SignedAnswer, payment: Payment) {
  const { network, extra } = payment.accepted;
  const chainId = Number(network.slice("eip155:".length));
  try {
    return await recoverAnswerSigner(foldmarkDomain({ chainId, channels: extra.channels }), signed);
  } catch (cause) {
    throw new FoldmarkError("provider.malformed", "The provider's signature is malformed.", { cause });
  }
}
