import path from "node:path";
import { eventually, passTime } from "../chainTime.ts";
import { challengeOf, courtOf, receiptFile } from "../court.ts";
import { gasOf, gasText, replay, roundLines } from "../game.ts";
import { makeHome } from "../homes.ts";
import { run } from "../processes.ts";
import { need, type Stage } from "../stage.ts";
import type { StepResult } from "../story.ts";
import type { Progress } from "../terminal.ts";
import { stakeOf } from "../verdict.ts";
import { dollars } from "./model.ts";
import { DOLLAR } from "./providers.ts";

const CHALLENGER = "frank";

/** Somebody challenges a true answer, asks for something and says nothing more. The node that gave it defends it by itself. */
export async function falseChallengeStep(stage: Stage, progress: Progress): Promise<StepResult> {
  const answer = need(stage, "checked");
  const provider = stage.providers.find(({ address }) => address === answer.receipt.answer.payee);
  if (!provider) throw new Error("nobody of the story gave the answer");
  const { name, address } = provider;
  const frank = await makeHome(stage, { name: CHALLENGER, dollars: 20n * DOLLAR });
  const court = await courtOf(stage);
  const id = await challengeOf(stage, court, { answer, by: frank.address });
  const [stake, credit] = await Promise.all([stakeOf(stage, address), court.creditsOf(address)]);

  progress.note(`${CHALLENGER} challenges the answer that ${name} finished in the failover`);
  await run(
    "false challenger",
    [path.resolve("test/adversaries/falseChallenger.ts"), await receiptFile(stage, "true", answer)],
    {
      env: { FOLDMARK_HOME: frank.folder },
    },
  );
  progress.say(`${name} defends itself`);
  await eventually(`${name} has not shown what it was asked for`, async () => (await court.game(id)).depth > 0);
  progress.note(
    `${name}'s node has computed it again and shown what it was asked for; ${CHALLENGER} says nothing more`,
  );
  progress.say(`letting the ${court.terms.challengerClockSeconds} s of ${CHALLENGER}'s clock pass`);
  await passTime(stage, (await court.game(id)).deadline);
  await eventually(`${name} has not ended the game`, async () => (await court.game(id)).turn === "lost");

  const rounds = await replay(provider, id);
  const { bond } = court.terms;
  const toPayee = (await court.creditsOf(address)).court - credit.court;
  const problems = [
    !rounds.some(({ event }) => event === "Lost") && "the challenge was not lost",
    toPayee !== bond / 2n && `${name} was credited ${toPayee} base units of a bond of ${bond}`,
    (await stakeOf(stage, address)) !== stake && `the stake of ${name} has changed`,
  ].filter((problem) => problem !== false);
  if (problems.length > 0) throw new Error(problems.join("; "));
  return {
    lines: [
      ...roundLines(rounds, [{ ...frank, name: CHALLENGER }, provider]),
      `${CHALLENGER}'s bond of ${dollars(bond)} is lost: ${dollars(toPayee)} to ${name}, ${dollars(bond - toPayee)} burnt; ${name}'s stake is untouched`,
      `gas: ${CHALLENGER} ${gasText(gasOf(rounds, frank.address))}, ${name} ${gasText(gasOf(rounds, address))}`,
    ],
    figures: {
      bondLost: true,
      bond: bond.toString(),
      toPayee: toPayee.toString(),
      burnt: (bond - toPayee).toString(),
      provider: address,
      defenceGas: Number(gasOf(rounds, address)),
    },
  };
}
