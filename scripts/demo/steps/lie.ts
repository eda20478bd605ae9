import { chainSeen } from "../chainTime.ts";
import { checkAnswer, findingLines, openEngine } from "../check.ts";
import { convict } from "../conviction.ts";
import { makeHome } from "../homes.ts";
import { type Checker, judged } from "../judged.ts";
import { buyLie, FALSE_TOKEN, FORGER, joinLiar, SILENT } from "../liar.ts";
import { need, type Served, type Stage } from "../stage.ts";
import type { StepResult } from "../story.ts";
import type { Progress } from "../terminal.ts";
import { DOLLAR } from "./providers.ts";

const CHALLENGER = "erin";

/**
 * A provider changes one token of an answer, signs it, and defends it with a forged trace. Whoever computes it again names
 * the place; the court leads both to the one element that is false, and takes the stake.
 */
export async function lieStep(stage: Stage, progress: Progress): Promise<StepResult> {
  progress.say("mallory and oscar join, cheaper than the others; erin wants to check answers");
  const [liar, silent, erin] = await Promise.all([
    joinLiar(stage, FORGER),
    joinLiar(stage, SILENT),
    makeHome(stage, { name: CHALLENGER, dollars: 20n * DOLLAR }),
  ]);
  stage.challenger = { ...erin, name: CHALLENGER };
  stage.silent = silent;
  await chainSeen(stage);
  const answer = await buyLie(stage, liar, progress);
  const model = need(stage, "chat");
  progress.say("computing the answer again");
  const engine = await openEngine(model);
  try {
    const { position, claimed, expected } = await findLie(stage, answer, { model, engine });
    const word = (token: number) => JSON.stringify(model.tokenizer().decode([token], { special: true }));
    const logit = (value: number) => `${value} (${(value / 65_536).toFixed(4)} nat)`;
    progress.note(`false at position ${position} of the statement, token ${FALSE_TOKEN} of the answer`);
    progress.note(`claimed ${claimed.token} ${word(claimed.token)}: logit ${logit(claimed.logit)}`);
    progress.note(`true    ${expected.token} ${word(expected.token)}: logit ${logit(expected.logit)}`);

    progress.note(`${CHALLENGER} challenges it; mallory's node forges a trace of it and shows that to the court only`);
    const { id, rounds, lines, figures } = await convict(stage, {
      ...{ answer, liar },
      onLine: (line) => (/^(bond|reward) /.test(line) ? progress.note(line) : progress.say(line)),
    });
    const at = await judged(stage, id, { answer, model, engine });
    if (at.t !== position - 1 || at.claimed !== BigInt(claimed.token) || at.true !== BigInt(expected.token))
      throw new Error(`the court judged step ${at.t}: ${at.claimed} where it is ${at.true}`);
    const refuteGas = rounds.find(({ event }) => event === "Refuted")?.gasUsed ?? 0n;
    const named = (token: bigint) => `${token} ${word(Number(token))}`;
    return {
      lines: [
        "the game, from the chain's events alone:",
        ...lines,
        `false: stage ${at.stage} of ${model.program.stages.length} (${at.stageName}), step ${at.t}, element (${at.r}, ${at.c}): mallory's trace says ${named(at.claimed)}, it is ${named(at.true)}, whose logit in the same trace is higher`,
      ],
      figures: {
        position,
        answerToken: FALSE_TOKEN,
        claimed: { token: claimed.token, logit: claimed.logit, score: claimed.score.toString() },
        expected: { token: expected.token, logit: expected.logit, score: expected.score.toString() },
        ...figures,
        ...{ stage: at.stage, stageName: at.stageName },
        element: { fold: at.fold, t: at.t, r: at.r, c: at.c, j: at.j },
        ...{ claimedValue: at.claimed.toString(), trueValue: at.true.toString() },
        refuteGas: Number(refuteGas),
      },
    };
  } finally {
    engine.close();
    await liar.process.stop();
  }
}

/** Where the answer is false, by a check of its receipt. @throws where that finds another lie, or none */
async function findLie(stage: Stage, answer: Served, of: Checker) {
  const verification = await checkAnswer(stage, answer, of);
  const { execution } = verification;
  if (!execution || execution.equal || execution.rule !== "token" || !("logit" in execution.claimed))
    throw new Error(`the lie was not found:\n${findingLines(verification).join("\n")}`);
  const { position, claimed, expected } = execution;
  const inAnswer = position - answer.receipt.usage.promptTokens;
  if (inAnswer !== FALSE_TOKEN)
    throw new Error(`the lie is at answer token ${FALSE_TOKEN}, the check names ${inAnswer}`);
  return { position, claimed, expected };
}
