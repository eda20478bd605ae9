import path from "node:path";
import { parseAmount } from "@foldmark/protocol";
import { z } from "zod";
import { ask } from "../ask.ts";
import { checkAnswer, findingLines, openEngine } from "../check.ts";
import { startServer } from "../foldmark.ts";
import { makeHome } from "../homes.ts";
import { need, type Stage } from "../stage.ts";
import type { StepResult } from "../story.ts";
import type { Progress } from "../terminal.ts";
import { DOLLAR, joinMarket, readyLine } from "./providers.ts";

const QUESTION = "List three fruits.";
const FALSE_TOKEN = 3;
/** Cheaper than the others, so that a caller with a low price cap gets it. */
const OFFER = { in: "0.05", out: "0.20", unit: "10" };

const health = z.looseObject({ block: z.number().optional() });

/** A provider changes one token of an answer and signs it. Whoever computes it again names the place and two logits. */
export async function lieStep(stage: Stage, progress: Progress): Promise<StepResult> {
  progress.say("a fourth provider joins, cheaper than the others");
  const home = await makeHome(stage, { name: "mallory", dollars: 500n * DOLLAR });
  await joinMarket(stage, home, OFFER);
  const { process: server, ready } = await startServer("mallory", {
    args: [path.resolve("test/adversaries/lyingProvider.ts"), "--at", String(FALSE_TOKEN)],
    env: { FOLDMARK_HOME: home.folder },
    ready: readyLine,
  });
  stage.providers.push({ ...home, name: "mallory", process: server, url: ready.url, tokensPerSecond: 0 });
  await chainSeen(stage);

  progress.note(`asking, at its price at most: ${QUESTION}`);
  const cap = `in=${parseAmount(OFFER.in)}, out=${parseAmount(OFFER.out)}`;
  const answer = await ask(stage, QUESTION, {
    maxTokens: 40,
    headers: { "x-foldmark-max-price": cap },
    onText: (piece) => progress.stream(piece),
  });
  if (answer.receipt.answer.payee !== home.address) throw new Error("another provider answered");

  progress.say("computing the answer again");
  const model = need(stage, "chat");
  const engine = await openEngine(model);
  try {
    const verification = await checkAnswer(stage, answer, { model, engine });
    const { execution } = verification;
    if (!execution || execution.equal || execution.rule !== "token" || !("logit" in execution.claimed))
      throw new Error(`the lie was not found:\n${findingLines(verification).join("\n")}`);
    const { position, claimed, expected } = execution;
    const inAnswer = position - answer.receipt.usage.promptTokens;
    if (inAnswer !== FALSE_TOKEN)
      throw new Error(`the lie is at answer token ${FALSE_TOKEN}, the check names ${inAnswer}`);
    const word = (token: number) => JSON.stringify(model.tokenizer().decode([token], { special: true }));
    const logit = (value: number) => `${value} (${(value / 65_536).toFixed(4)} nat)`;
    return {
      lines: [
        `false at position ${position} of the statement, token ${inAnswer} of the answer`,
        `claimed ${claimed.token} ${word(claimed.token)}: logit ${logit(claimed.logit)}`,
        `true    ${expected.token} ${word(expected.token)}: logit ${logit(expected.logit)}`,
        `signed by mallory ${home.address}, who staked 100 TUSD on it`,
        "the court that takes the stake is not built yet: today a lie is proved off chain, and punished by nobody",
      ],
      figures: {
        position,
        answerToken: inAnswer,
        provider: home.address,
        claimed: { token: claimed.token, logit: claimed.logit, score: claimed.score.toString() },
        expected: { token: expected.token, logit: expected.logit, score: expected.score.toString() },
      },
    };
  } finally {
    engine.close();
    await server.stop();
  }
}

/** Waits until the gateway has read the chain up to where it is now. */
export async function chainSeen(stage: Stage): Promise<void> {
  const head = await need(stage, "chain").client.getBlockNumber({ cacheTime: 0 });
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline) {
    const { block } = health.parse(await (await fetch(`${need(stage, "gateway").url}/health`)).json());
    if (block !== undefined && BigInt(block) >= head) return;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  throw new Error(`the gateway has not read block ${head} after 30 s`);
}
