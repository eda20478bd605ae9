import {
  type AnswerVerdict,
  acceptAnswer,
  baseUnits,
  chainNow,
  domainOf,
  openPayerLedger,
  putInFlight,
  recoverAnswerSigner,
  statementIdOf,
  toChannelId,
} from "@foldmark/protocol";
import { paymentChannelsAbi } from "@foldmark/protocol/abi";
import { keccak256, toHex } from "viem";
import { type Courtroom, keyOf, preimageOf } from "../adversaries/lies/court.ts";
import type { Evidence } from "../adversaries/lies/evidence.ts";
import { MODELS } from "../adversaries/lies/models.ts";

/**
 * What a payer makes of an answer before it pays again or shows it: the rule of the protocol, by what it ordered itself.
 * @param earlier - what answers before this one were charged on the channel
 */
export async function payersVerdict(
  { market, answerableUntil }: Courtroom,
  { name, payee: payeeName, answer, signature, ordered, received }: Evidence,
  { earlier = 0n }: { earlier?: bigint } = {},
): Promise<AnswerVerdict["status"] | string> {
  const { deployment, chain, terms } = market;
  const model = await MODELS[ordered.model]();
  const payee = keyOf(payeeName).address;
  const channelId = toChannelId(keccak256(toHex(name)));
  const key = await recoverAnswerSigner(domainOf(deployment), { answer, signature });
  const { ledger, ceiling } = putInFlight(openPayerLedger({ redeemed: baseUnits(earlier) }), baseUnits(5n));
  const { amount, unbonding } = await chain.client.readContract({
    ...{ address: deployment.contracts.channels, abi: paymentChannelsAbi, functionName: "stakeOf", args: [payee] },
  });
  const { timestamp } = await chain.client.getBlock();
  const verdict = acceptAnswer(answer, {
    ...{ payee, channelId, ceiling, price: baseUnits(5n), key, ledger },
    statementId: statementIdOf(preimageOf(model, { ...received, request: ordered.request })),
    answerableUntil: BigInt(await answerableUntil(payee, key)),
    stake: { amount: baseUnits(amount), unbonding: baseUnits(unbonding) },
    terms: { ...terms, holdSeconds: terms.windowSeconds + terms.clocksSeconds },
    now: chainNow({ latestBlockTimestamp: timestamp, ownClockMs: Date.now() }),
  });
  return verdict.status === "accepted" ? "accepted" : verdict.reason;
}
