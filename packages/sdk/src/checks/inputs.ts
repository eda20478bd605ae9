import { type Candidate, hasStaleKey, isSameAddress, KEY_BLOCK_INTERVAL, type Receipt } from "@foldmark/protocol";
import type { ChainReader } from "../chainReader.ts";
import { type Finding, fails, holds, unchecked } from "../finding.ts";

/** What the order was computed from is what the chain said: blocks, offers with their prices and stakes, the alias. */
export async function checkInputs(receipt: Receipt, chain: ChainReader | undefined): Promise<Finding> {
  const { keyBlock, stateBlock } = receipt.routing;
  if (keyBlock.number % KEY_BLOCK_INTERVAL !== 0n || keyBlock.number > stateBlock.number)
    return fails("inputs", `block ${keyBlock.number} is no key block at block ${stateBlock.number}`);
  if (!chain)
    return unchecked("inputs", "give a chain to compare blocks, offers, stakes and alias; they are the gateway's word");
  return (
    (await blockFinding(receipt, chain)) ??
    (await aliasFinding(receipt, chain)) ??
    (await offersFinding(receipt, chain))
  );
}

async function blockFinding(receipt: Receipt, chain: ChainReader): Promise<Finding | undefined> {
  const { keyBlock, stateBlock } = receipt.routing;
  const [key, state] = await Promise.all([chain.block(keyBlock.number), chain.block(stateBlock.number)]);
  if (key?.hash !== keyBlock.hash || key.timestamp !== keyBlock.timestamp)
    return fails("inputs", `block ${keyBlock.number} of the chain is ${key?.hash ?? "none"}, not ${keyBlock.hash}`);
  if (state?.hash !== stateBlock.hash)
    return fails(
      "inputs",
      `block ${stateBlock.number} of the chain is ${state?.hash ?? "none"}, not ${stateBlock.hash}`,
    );
  const { windowSeconds } = chain.terms;
  const later = keyBlock.number + 2n * KEY_BLOCK_INTERVAL;
  const laterBlock = await chain.block(later);
  const hadPassed = laterBlock !== undefined && laterBlock.timestamp <= receipt.answer.until - windowSeconds;
  return hasStaleKey(receipt, { windowSeconds, headAtSigning: hadPassed ? later : keyBlock.number })
    ? fails("inputs", `key block ${keyBlock.number} was old when the answer was signed: the gateway may have waited`)
    : undefined;
}

async function aliasFinding({ model }: Receipt, chain: ChainReader): Promise<Finding | undefined> {
  if (!model.alias) return undefined;
  const { name, block } = model.alias;
  const asset = await chain.alias(name, block);
  if (asset === model.asset) return undefined;
  return fails("inputs", `the alias ${name} was ${asset ?? "nobody's"} at block ${block}, not ${model.asset}`);
}

async function offersFinding({ model, routing }: Receipt, chain: ChainReader): Promise<Finding> {
  const { number } = routing.stateBlock;
  const offers = await chain.offers(model.asset, number);
  if (!offers) return unchecked("inputs", `the blocks are the chain's; its state at block ${number} is not kept`);
  for (const candidate of routing.candidates) {
    const offer = offers.find(({ provider }) => isSameAddress(provider, candidate.provider));
    const different = offer ? differenceOf(candidate, offer) : "offer";
    if (different) return fails("inputs", `the ${different} of ${candidate.provider} is not that of block ${number}`);
  }
  const left = offers.find(
    ({ provider }) => !routing.candidates.some((candidate) => isSameAddress(candidate.provider, provider)),
  );
  if (left) return fails("inputs", `${left.provider} offered the model at block ${number} and is no candidate`);
  return holds("inputs", `${offers.length} offers are those of block ${number}; conduct and health are not looked up`);
}

function differenceOf(a: Candidate, b: Omit<Candidate, "conductEvents">): string | undefined {
  if (a.prices.in !== b.prices.in || a.prices.out !== b.prices.out || a.prices.unit !== b.prices.unit) return "price";
  if (a.stake.amount !== b.stake.amount || a.stake.unbonding !== b.stake.unbonding) return "stake";
  if (a.isPaused !== b.isPaused) return "pause";
  return a.assurance === b.assurance ? undefined : "assurance";
}
