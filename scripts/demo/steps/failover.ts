import { z } from "zod";
import { ask } from "../ask.ts";
import { checkAnswer, findingLines, openEngine } from "../check.ts";
import { need, type Provider, type Stage } from "../stage.ts";
import type { StepResult } from "../story.ts";
import type { Progress } from "../terminal.ts";
import { serve } from "./providers.ts";
import { nameOf } from "./service.ts";

const QUESTION = "Write a short story about a lighthouse keeper who finds a message in a bottle.";
const PIECES_BEFORE_DEATH = 12;

const nodeInfo = z.looseObject({ running: z.number() });

/** The provider of a running stream is killed without warning; another one goes on from the next token. */
export async function failoverStep(stage: Stage, progress: Progress): Promise<StepResult> {
  progress.note(`asking: ${QUESTION}`);
  let pieces = 0;
  let killed: Provider | undefined;
  const answer = await ask(stage, QUESTION, {
    maxTokens: 100,
    onText: async (piece) => {
      progress.stream(piece);
      if (++pieces !== PIECES_BEFORE_DEATH) return;
      killed = await working(stage.providers);
      await killed.process.kill();
      progress.stream(" [SIGKILL] ");
    },
  });
  if (!killed) throw new Error(`the answer ended after ${pieces} pieces, before a provider could be killed`);
  const { receipt } = answer;
  const dead = killed.address;
  const skip = receipt.routing.skipped.find(({ provider }) => provider === dead);
  if (!skip || skip.tokens === 0) throw new Error(`the receipt does not say that ${killed.name} broke off`);
  if (receipt.answer.payee === dead) throw new Error("the dead provider signed the answer");

  progress.say("checking the whole answer");
  const model = need(stage, "chat");
  const engine = await openEngine(model);
  try {
    const verification = await checkAnswer(stage, answer, { model, engine });
    if (!verification.ok) throw new Error(`the check failed:\n${findingLines(verification).join("\n")}`);
    stage.checked = answer;
  } finally {
    engine.close();
  }
  progress.say(`${killed.name} starts again`);
  Object.assign(killed, await serve(killed));
  return {
    lines: [
      `${killed.name} was killed; ${nameOf(stage, receipt.answer.payee)} went on at token ${skip.tokens} of ${receipt.usage.answerTokens} and signed for all of them`,
      "the client saw one uninterrupted stream; its text equals the honest re-execution",
    ],
    figures: {
      continuedAtToken: skip.tokens,
      answerTokens: receipt.usage.answerTokens,
      equal: true,
      killed: dead,
      continuedBy: receipt.answer.payee,
    },
  };
}

/** The provider that is computing just now, by its own word. */
export async function working(providers: Provider[]): Promise<Provider> {
  for (const provider of providers) {
    const response = await fetch(`${provider.url}/v1/node`);
    if (nodeInfo.parse(await response.json()).running > 0) return provider;
  }
  throw new Error("no provider is working on the stream");
}
