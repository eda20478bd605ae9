import { type ElementAt, sizeAt } from "@foldmark/machine";
import { beforeAll, describe, expect, it } from "vitest";
import { descend } from "../../packages/machine/test/support/descent.ts";
import {
  allElements,
  anotherValue,
  changedAlone,
  changedThroughout,
  leafWith,
  valueAt,
  withAllTrue,
} from "../../packages/machine/test/support/mutations.ts";
import { courtCase } from "../support/courtCase.ts";
import { isDeep, patience } from "../support/deep.ts";
import { openReferee, type Referee } from "../support/referee.ts";
import type { RefuteCall } from "../support/refuteCall.ts";
import { tinyPrograms } from "../support/tinyPrograms.ts";

/** Which of the nine other values of an element a liar writes. */
const PICKS = isDeep ? [0, 1, 2, 3, 4, 5, 6, 7, 8] : [1];

describe.each(tinyPrograms)("the trace of $kind", ({ job }) => {
  const dispute = courtCase(job);
  const { program, honest, statement, evidence, call, isArgmax } = dispute;
  const elements = [...allElements(program, job.job.T)];
  let referee: Referee;
  beforeAll(async () => {
    referee = await openReferee();
  });

  it(
    "stands against a challenge of any of its elements, by whatever index of an argmax",
    async () => {
      const targets = elements.flatMap((at) => {
        const terms = termsOf(at);
        const indices = Array.from({ length: terms }, (_, j) => j);
        return [...indices, ...(isArgmax(at) ? [terms, terms + 1, 2 ** 32 - 1] : [])].map((j) => ({ at, j, terms }));
      });
      const outcomes = await referee.refuteAll(
        targets.map(({ at, j, terms }) => {
          const made = call(honest, { ...at, j: Math.min(j, terms - 1) });
          return { ...made, evidence: { ...made.evidence, target: { ...at, j } } };
        }),
      );
      expect(outcomes.map(({ verdict }, i) => ({ verdict, ...targets[i] }))).toEqual(
        targets.map((target) => ({ verdict: target.j < target.terms ? "NotRefuted" : "BadTarget", ...target })),
      );
    },
    patience,
  );

  it.each([
    { lie: "changed in one element", throughout: false, forgesOk: false },
    { lie: "changed in one element, with ok forged to 1", throughout: false, forgesOk: true },
    { lie: "changed in one element and in all that follows", throughout: true, forgesOk: false },
    { lie: "changed in one element and in all that follows, with ok forged to 1", throughout: true, forgesOk: true },
  ])(
    "is refuted wherever it is $lie",
    async ({ throughout, forgesOk }) => {
      const calls: RefuteCall[] = [];
      const lies: string[] = [];
      for (const at of elements)
        for (const pick of PICKS) {
          const value = anotherValue(program, at, { value: valueAt(program, honest, at), pick });
          const change = leafWith(program, honest, at, value);
          const lie = throughout ? changedThroughout(job, honest, change) : changedAlone(program, honest, change);
          const forged = forgesOk ? withAllTrue(program, lie) : lie;
          if (Buffer.from(forged.root).equals(honest.root)) continue; // forged back to the truth
          const { payee, target } = descend(program, honest, forged);
          calls.push({ statement, traceRoot: forged.root, evidence: evidence(target, payee) });
          lies.push(`${JSON.stringify(at)} = ${value}`);
        }
      const outcomes = await referee.refuteAll(calls);
      expect(outcomes.map(({ verdict }, i) => `${lies[i]}: ${verdict}`)).toEqual(lies.map((lie) => `${lie}: refuted`));
      expect(lies.length).toBeGreaterThan(elements.length / 2);
    },
    patience,
  );

  it(
    "is refuted for an answer that is not what was computed",
    async () => {
      const calls: RefuteCall[] = [];
      for (const [tensor, bytes] of job.job.claimed.entries())
        for (const index of bytes.keys()) {
          const claimed = job.job.claimed.map((each) => each.slice());
          (claimed[tensor] as Uint8Array)[index] = (bytes[index] ?? 0) ^ 1;
          const answer = courtCase({ ...job, job: { ...job.job, claimed } });
          const { firstFalse } = answer.honest;
          if (!firstFalse) throw new Error(`byte ${index} of claimed tensor ${tensor} makes no difference`);
          // the true trace of a false statement, then one whose ok is forged
          calls.push(answer.call(answer.honest, { ...firstFalse, j: 0 }));
          const forged = withAllTrue(program, answer.honest);
          const { payee, target } = descend(program, answer.honest, forged);
          const { statement } = answer;
          calls.push({ statement, traceRoot: forged.root, evidence: answer.evidence(target, payee) });
        }
      const verdicts = (await referee.refuteAll(calls)).map(({ verdict }) => verdict);
      expect(verdicts).toEqual(verdicts.map(() => "refuted"));
    },
    patience,
  );

  /** How many indices an argmax chooses from. */
  function termsOf(at: ElementAt): number {
    const fold = program.stages[at.stage]?.folds[at.fold];
    return fold && isArgmax(at) ? sizeAt(fold.axis, { t: at.t, T: job.job.T }) : 1;
  }
});
