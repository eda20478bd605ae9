// A false answer that is challenged to the end: the game, and what the verdict did with money. Amounts in base units.
import type { CourtReader } from "@foldmark/node";
import type { Hex } from "viem";
import { challenge, challengeOf, courtOf, receiptFile } from "./court.ts";
import { gasOf, gasText, type Round, replay, roundLines } from "./game.ts";
import { need, type Provider, type Served, type Stage } from "./stage.ts";
import { dollars } from "./steps/model.ts";
import type { Figure } from "./story.ts";
import { balanceOf, sharesOf, stakeOf, takeCompensation } from "./verdict.ts";

export type Conviction = { id: Hex; rounds: Round[]; lines: string[]; figures: Record<string, Figure> };

type Prosecution = {
  answer: Served;
  liar: Provider;
  onLine(line: string): void;
  /** What happens while the challenger plays. */
  meanwhile?(game: { court: CourtReader; id: Hex }): Promise<void>;
};

/** The stage's challenger challenges an answer. @throws where its provider is not convicted, or money went elsewhere */
export async function convict(stage: Stage, { answer, liar, onLine, meanwhile }: Prosecution): Promise<Conviction> {
  const challenger = need(stage, "challenger");
  const court = await courtOf(stage);
  const id = await challengeOf(stage, court, { answer, by: challenger.address });
  const stakeBefore = await stakeOf(stage, liar.address);
  const fundsBefore = await balanceOf(stage, challenger.address);
  const receipt = await receiptFile(stage, liar.name, answer);
  const [challengerGas] = await Promise.all([
    challenge(stage, { challenger, receipt, onLine }),
    meanwhile?.({ court, id }),
  ]);

  const rounds = await replay(challenger, id);
  const { reward, burnt } = await sharesOf(stage, liar.address);
  const stakeAfter = await stakeOf(stage, liar.address);
  const compensation = await takeCompensation(stage, answer);
  const gained = (await balanceOf(stage, challenger.address)) - fundsBefore;
  const problems = [
    stakeBefore - stakeAfter !== court.market.terms.penalty && `the stake went from ${stakeBefore} to ${stakeAfter}`,
    gained !== reward && `${challenger.name} gained ${gained} base units`,
    compensation !== reward && `${compensation} base units were set aside for the payer`,
  ].filter((problem) => problem !== false);
  if (problems.length > 0) throw new Error(problems.join("; "));

  const providerGas = gasOf(rounds, liar.address);
  return {
    ...{ id, rounds },
    lines: [
      ...roundLines(rounds, [challenger, liar]),
      `gas: ${challenger.name} ${gasText(challengerGas)} with approval and withdrawals, ${liar.name} ${gasText(providerGas)}`,
      `${liar.name}'s stake ${dollars(stakeBefore)} -> ${dollars(stakeAfter)}: ${dollars(reward)} to ${challenger.name}, ${dollars(compensation)} to the gateway that paid for the answer, ${dollars(burnt)} burnt`,
      `${challenger.name}'s bond of ${dollars(court.terms.bond)} came back`,
    ],
    figures: {
      convicted: true,
      provider: liar.address,
      rounds: rounds.filter(({ event }) => event === "Asked").length,
      ...{ challengerGas: Number(challengerGas), providerGas: Number(providerGas) },
      totalGas: Number(challengerGas + providerGas),
      ...{ stakeBefore: stakeBefore.toString(), stakeAfter: stakeAfter.toString() },
      ...{ reward: reward.toString(), compensation: compensation.toString(), burnt: burnt.toString() },
    },
  };
}
