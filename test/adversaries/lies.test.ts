// Lies of every kind told by real payees on a real chain, and what comes of each: whether its payer takes the answer, and
// what the court says of it.

import type { AnswerRefusal } from "@foldmark/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type CourtGames, type Line, openCourtGames, type Player } from "../support/courtGames.ts";
import { payersVerdict } from "../support/payer.ts";
import type { PayeeSeat } from "./lies/payee.ts";

/**
 * What a challenger who computes the answer again gets out of it. `true`: it would challenge nothing. `another model`: the
 * statement is about a program or weights that nobody ordered, and may be true of them. `NotAllowed`: the court takes no
 * challenge of it, since its key does not bind the payee.
 */
type Verdict = "convicted by evidence" | "convicted by time" | "true" | "another model" | "NotAllowed";
type Row = Omit<PayeeSeat, "name"> & { name?: string; payer: "accepted" | AnswerRefusal["reason"]; verdict: Verdict };

/** `payer`: what `acceptAnswer` says before anything is paid again. What it refuses is no answer, whatever the court says. */
const TABLE: Row[] = [
  { lie: "truth", payer: "accepted", verdict: "true" },
  { lie: "honestSimulation", payer: "accepted", verdict: "true" },
  // another text than the model's
  { lie: "cheaperModelTeacherForced", payer: "accepted", verdict: "convicted by evidence" },
  { lie: "answerToAnotherPrompt", payer: "accepted", verdict: "convicted by evidence" },
  { lie: "anotherPromptClaimed", payer: "wrong_statement", verdict: "convicted by evidence" },
  { lie: "anotherPrompt", payer: "wrong_statement", verdict: "true" },
  { lie: "wrongSeed", payer: "accepted", verdict: "convicted by evidence" },
  { lie: "anotherSeed", payer: "wrong_statement", verdict: "true" },
  { lie: "stoppedEarly", payer: "accepted", verdict: "convicted by evidence" },
  { lie: "stoppedEarlyAsIfCut", payer: "wrong_statement", verdict: "true" },
  { lie: "padded", payer: "accepted", verdict: "convicted by evidence" },
  { lie: "onePastTheLimit", payer: "accepted", verdict: "convicted by evidence" },
  { lie: "stopOnePastTheLimit", payer: "accepted", verdict: "convicted by evidence" },
  { lie: "replayedTokens", payer: "accepted", verdict: "convicted by evidence" },
  { lie: "tokenOutsideTheVocabulary", payer: "accepted", verdict: "convicted by evidence" },
  // other numbers than the model's
  { lie: "swappedModel", payer: "accepted", verdict: "convicted by evidence" },
  { lie: "swappedModelAsItself", payer: "wrong_statement", verdict: "another model" },
  { lie: "tieBreak", payer: "accepted", verdict: "convicted by evidence" },
  { lie: "scaleOffByOne", payer: "accepted", verdict: "convicted by evidence" },
  { lie: "shiftedPosition", payer: "accepted", verdict: "convicted by evidence" },
  { lie: "alteredHistory", payer: "accepted", verdict: "convicted by evidence" },
  { lie: "alteredWeightsLeaf", payer: "accepted", verdict: "convicted by evidence" },
  { lie: "alteredWeightsAsThemselves", payer: "wrong_statement", verdict: "another model" },
  { lie: "anotherResult", payer: "accepted", verdict: "convicted by evidence" },
  { lie: "fewerSteps", payer: "wrong_statement", verdict: "convicted by evidence" },
  // another program, or none
  { lie: "recordThatAlwaysSaysOne", payer: "wrong_statement", verdict: "another model" },
  { lie: "anotherVersion", payer: "wrong_statement", verdict: "convicted by evidence" },
  { lie: "unknownOperation", payer: "wrong_statement", verdict: "convicted by evidence" },
  { lie: "unknownOrder", payer: "wrong_statement", verdict: "convicted by evidence" },
  { lie: "recordCutShort", payer: "wrong_statement", verdict: "convicted by evidence" },
  { lie: "noStages", payer: "wrong_statement", verdict: "convicted by evidence" },
  { lie: "zeroSteps", payer: "wrong_statement", verdict: "convicted by evidence" },
  { lie: "tooManySteps", payer: "wrong_statement", verdict: "convicted by evidence" },
  { lie: "mostSteps", payer: "wrong_statement", verdict: "convicted by evidence" },
  // a tree that cannot be shown as the court wants it
  { lie: "shortLeaf", payer: "accepted", verdict: "convicted by time" },
  { lie: "overlongLeaf", payer: "accepted", verdict: "convicted by time" },
  { lie: "wrongChild", payer: "accepted", verdict: "convicted by time" },
  { lie: "rootFromNowhere", payer: "accepted", verdict: "convicted by time" },
  { lie: "zeroRoot", payer: "accepted", verdict: "convicted by time" },
  // silence at each of the payee's moves: the root, two reveals of nodes, the leaf
  { name: "silence before the root", lie: "wrongSeed", moves: 0, payer: "accepted", verdict: "convicted by time" },
  { name: "silence after the root", lie: "wrongSeed", moves: 1, payer: "accepted", verdict: "convicted by time" },
  { name: "silence after a reveal", lie: "wrongSeed", moves: 2, payer: "accepted", verdict: "convicted by time" },
  { name: "silence before the leaf", lie: "wrongSeed", moves: 3, payer: "accepted", verdict: "convicted by time" },
  // a lie like another, before or after a step that is to save its payee
  {
    ...{ name: "a key withdrawn just before, within what it answers for", lie: "wrongSeed", withdrawnBy: 0 },
    ...{ payer: "accepted", verdict: "convicted by evidence" },
  },
  {
    ...{ name: "a key withdrawn just before, a second beyond", lie: "wrongSeed", withdrawnBy: 1 },
    ...{ payer: "key_not_answerable", verdict: "NotAllowed" },
  },
  {
    ...{ name: "stake on its way out", lie: "wrongSeed", unbonds: "before" },
    ...{ payer: "stake_too_low", verdict: "convicted by evidence" },
  },
];

/** Processes of payees, and of challengers. */
const PROCESSES = 3;

let games: CourtGames;
beforeAll(async () => {
  games = await openCourtGames();
});
afterAll(() => games?.[Symbol.asyncDispose]());

describe("a payee's lie", () => {
  const rows = TABLE.map((row) => ({ ...row, name: row.name ?? row.lie }));
  /** What payers say before anything is challenged, and what challengers report in the end. */
  const payers = new Map<string, string>();
  const outcomes = new Map<string, Line>();

  beforeAll(async () => {
    const groups = Array.from({ length: PROCESSES }, (_, i) => rows.filter((_, at) => at % PROCESSES === i));
    const payees = await Promise.all(
      groups.map((group) => games.payees(group.map(({ payer: _, verdict: __, ...seat }) => seat))),
    );
    for (const { signed } of payees)
      for (const [name, evidence] of signed) payers.set(name, await payersVerdict(games.room, evidence));
    const challengers: Player[] = payees.map(({ signed }, i) => games.challenger(`auditor ${i}`, [...signed.values()]));
    const lines = () => challengers.flatMap((each) => each.lines).filter(({ event }) => event === "outcome");
    const done = (names: readonly string[]) =>
      Promise.all(
        challengers.map((each, i) => {
          const own = names.filter((name) => payees[i]?.signed.has(name));
          const isOver = (name: string) => lines().some((line) => line.name === name);
          return each.until(() => own.every(isOver));
        }),
      );
    await done(rows.filter(({ verdict }) => verdict !== "convicted by time").map(({ name }) => name));
    // the others have shown what they can
    const { payeeClockSeconds } = games.room.court.terms;
    await games.pass(Number(payeeClockSeconds) + 1);
    await done(rows.map(({ name }) => name));
    for (const outcome of lines()) outcomes.set(outcome.name, outcome);
    await Promise.all(payees.map((each) => each.kill()));
  });

  it.each(rows)("$name: $payer by its payer; $verdict", ({ name, payer, verdict }) => {
    const seen = { payer: payers.get(name), verdict: verdictOf(outcomes.get(name)) };
    expect(seen).toEqual({ payer, verdict });
  });
});

function verdictOf(outcome: Line | undefined): Verdict | string {
  if (outcome?.result !== "convicted") return String(outcome?.result);
  const moves = outcome.moves as string[];
  return moves.includes("timeout") ? "convicted by time" : "convicted by evidence";
}
