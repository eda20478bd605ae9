import { eventually, passTime } from "../chainTime.ts";
import { convict } from "../conviction.ts";
import { buyLie } from "../liar.ts";
import { need, type Stage } from "../stage.ts";
import type { StepResult } from "../story.ts";
import type { Progress } from "../terminal.ts";

const ITS_OWN_WORD = "OUR ANSWER IS FALSE";

/** A second provider signs a false answer. Its node finds out when it is challenged, spends no gas, and loses by time. */
export async function silenceStep(stage: Stage, progress: Progress): Promise<StepResult> {
  const liar = need(stage, "silent");
  const { output } = liar.process;
  try {
    const answer = await buyLie(stage, liar, progress);
    progress.note("erin challenges it");
    const { rounds, lines, figures } = await convict(stage, {
      ...{ answer, liar, onLine: (line) => progress.say(line) },
      async meanwhile({ court, id }) {
        await eventually("oscar's node has not found its answer false", async () =>
          output.some((line) => line.includes(ITS_OWN_WORD)),
        );
        progress.note("oscar's node computes the answer again, finds it false, and spends nothing on a lost game");
        progress.say(`letting the ${court.terms.payeeClockSeconds} s of oscar's clock pass`);
        await passTime(stage, (await court.game(id)).deadline);
      },
    });
    if (!rounds.some(({ event }) => event === "Silent")) throw new Error("the game did not end by time");
    if (figures.providerGas !== 0) throw new Error("oscar spent gas on a lost game");
    return { lines, figures };
  } finally {
    await liar.process.stop();
  }
}
