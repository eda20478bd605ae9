import { checkAnswer, findingLines, makeAnswerAgain, measured, openEngine } from "../check.ts";
import { need, type Stage } from "../stage.ts";
import type { StepResult } from "../story.ts";
import type { Progress } from "../terminal.ts";

/** A third party computes the answer again from its receipt and the model package, in one prefill. */
export async function checkStep(stage: Stage, progress: Progress): Promise<StepResult> {
  const model = need(stage, "chat");
  const [served] = stage.answers;
  if (!served) throw new Error("there is no answer to check");
  progress.say("loading the model");
  const engine = await openEngine(model);
  try {
    progress.say("computing the answer as a provider does, token by token");
    await measured(() => makeAnswerAgain(served, { model, engine })); // warm, so that both are measured alike
    const answer = await measured(() => makeAnswerAgain(served, { model, engine }));
    progress.say("checking the receipt");
    const check = await measured(() => checkAnswer(stage, served, { model, engine }));
    const costRatio = check.cpuSeconds / answer.cpuSeconds;
    const { ok, execution } = check.result;
    if (!ok || execution?.equal !== true)
      throw new Error(`the check failed:\n${findingLines(check.result).join("\n")}`);
    return {
      lines: [
        ...findingLines(check.result),
        `the check cost ${check.cpuSeconds.toFixed(2)} s of CPU time, the answer ${answer.cpuSeconds.toFixed(2)} s: ${(100 * costRatio).toFixed(0)} %`,
      ],
      figures: { equal: true, costRatio, checkCpuSeconds: check.cpuSeconds, answerCpuSeconds: answer.cpuSeconds },
    };
  } finally {
    engine.close();
  }
}
