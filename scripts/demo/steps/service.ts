import { type Receipt, rankProviders, routingKey } from "@foldmark/protocol";
import { ask } from "../ask.ts";
import type { Stage } from "../stage.ts";
import type { StepResult } from "../story.ts";
import type { Progress } from "../terminal.ts";
import { dollars } from "./model.ts";

const QUESTION = "Explain what a blockchain is in one sentence.";

/** A chat answer streamed by the ordinary client, who gave it, and why. */
export async function serviceStep(stage: Stage, progress: Progress): Promise<StepResult> {
  progress.note(`asking: ${QUESTION}`);
  const answer = await ask(stage, QUESTION, { maxTokens: 80, onText: (piece) => progress.stream(piece) });
  const { receipt, tokensPerSecond, firstTokenMs, price, receiptId } = answer;
  const order = orderOf(receipt).map(({ provider, weight, score }, i) => {
    const name = nameOf(stage, provider);
    return `${i + 1}. ${name.padEnd(7)} weight ${weight}, score ${score.slice(0, 18)}...`;
  });
  const provider = nameOf(stage, receipt.answer.payee);
  return {
    lines: [
      `${receipt.usage.promptTokens} + ${receipt.usage.answerTokens} tokens, ${tokensPerSecond.toFixed(1)} tokens/s, first token after ${firstTokenMs.toFixed(0)} ms`,
      `provider ${provider}, first in the order of SHA-256(key || provider || i):`,
      ...order.map((line) => `  ${line}`),
      `key = SHA-256(${bodyWord(receipt)} || account || hash of block ${receipt.routing.keyBlock.number})`,
      `price ${dollars(price)}, receipt ${receiptId}`,
    ],
    figures: {
      tokensPerSecond,
      firstTokenMs,
      provider: receipt.answer.payee,
      answerTokens: receipt.usage.answerTokens,
      price: price.toString(),
      receipt: receiptId,
      text: answer.text,
    },
  };
}

function orderOf({ routing, bodyHash }: Receipt) {
  const key = routingKey({ bodyHash, account: routing.account, keyBlockHash: routing.keyBlock.hash });
  return rankProviders(routing.candidates, { key, rules: routing.rules }).order;
}

const bodyWord = ({ bodyHash }: Receipt) => `SHA-256(body) ${bodyHash.slice(0, 10)}...`;

export function nameOf({ providers }: Stage, address: string): string {
  return providers.find((provider) => provider.address === address)?.name ?? address;
}
