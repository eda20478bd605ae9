import { isSameAddress, type Receipt } from "@foldmark/protocol";
import type { ChainReader } from "../chainReader.ts";
import { type Finding, fails, holds, unchecked } from "../finding.ts";

/** The receipt is about the market at hand, and its answer could be challenged for as long as the market promises. */
export function checkMarket(receipt: Receipt, chain: ChainReader | undefined): Finding {
  const { chainId, channels, answer, issuedAt, routing } = receipt;
  if (answer.until <= issuedAt)
    return fails("market", `nobody could challenge the answer after ${answer.until}, the receipt is of ${issuedAt}`);
  const named = `${channels} on chain ${chainId}`;
  if (!chain) return unchecked("market", `it names ${named}; give a chain to see whether that is the market`);
  if (chain.chainId !== chainId || !isSameAddress(chain.channels, channels))
    return fails("market", `it names ${named}, the market is ${chain.channels} on chain ${chain.chainId}`);
  const { windowSeconds, penalty } = chain.terms;
  if (answer.until < issuedAt + windowSeconds)
    return fails("market", `it can be challenged for ${answer.until - issuedAt} s, the window is ${windowSeconds} s`);
  if (routing.rules.penalty !== penalty)
    return fails("market", `it weighs stakes by a penalty of ${routing.rules.penalty}, the market's is ${penalty}`);
  return holds("market", `${named}, open to challenges until ${answer.until}`);
}
