import { costOfFold, sizeAt } from "@foldmark/machine";
import { randomJob } from "@foldmark/machine/testing";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { descend } from "../../packages/machine/test/support/descent.ts";
import { manyLeaves } from "../../packages/machine/test/support/manyLeaves.ts";
import { courtCase, drawElement, lieAt, shown } from "../support/courtCase.ts";
import { cases, drawsFrom, patience, testSeed } from "../support/deep.ts";
import { overrun } from "../support/evidenceCost.ts";
import { openReferee, type Referee } from "../support/referee.ts";
import type { RefuteCall } from "../support/refuteCall.ts";

const ELEMENTS_EACH = 10;

describe("an element of a random program", () => {
  let referee: Referee;
  beforeAll(async () => {
    referee = await openReferee();
  });

  it(
    "is never refuted when it is true, always when it is changed, and at no more than the cost of its fold",
    async () => {
      const draws = drawsFrom(testSeed);
      const jobs = fc.sample(randomJob(), { seed: testSeed, numRuns: cases(200) });
      for (const [number, job] of jobs.entries()) {
        const dispute = courtCase(job);
        const { honest, program, call } = dispute;
        const expected: { verdict: string; what: string }[] = [];
        const calls: RefuteCall[] = [];
        for (let i = 0; i < ELEMENTS_EACH; i++) {
          const at = drawElement(dispute, draws);
          const fold = program.stages[at.stage]?.folds[at.fold];
          const isArgmax = fold?.combine === "argmax";
          const terms = fold && isArgmax ? sizeAt(fold.axis, { t: at.t, T: job.job.T }) : 1;
          const what = JSON.stringify(at);
          calls.push(call(honest, { ...at, j: draws.below(terms) }));
          expected.push({ verdict: dispute.isFalseItself(honest, at) ? "refuted" : "NotRefuted", what });
          const lie = lieAt(dispute, at, draws);
          calls.push(call(lie.trace, lie.target));
          expected.push({ verdict: "refuted", what: `${what} changed to ${lie.value}` });
        }
        const outcomes = await referee.refuteAll(calls);
        expect(
          outcomes.map(({ verdict }, i) => ({ verdict, what: expected[i]?.what })),
          `seed ${testSeed}, program ${number}: ${shown(job)}`,
        ).toEqual(expected);
        for (const [i, outcome] of outcomes.entries()) {
          const { evidence } = calls[i] as RefuteCall;
          const { exceeds } = overrun(costOfFold(program, evidence.target), outcome, evidence);
          expect(exceeds, `seed ${testSeed}, program ${number}, ${expected[i]?.what}: ${shown(job)}`).toBeUndefined();
        }
      }
    },
    patience,
  );

  it(
    "is judged so in tensors of many leaves and a loop of many steps too",
    async () => {
      const draws = drawsFrom(testSeed + 1);
      const job = manyLeaves();
      const dispute = courtCase(job);
      const { honest, program, statement, call, evidence } = dispute;
      for (let i = 0; i < cases(100); i++) {
        const at = drawElement(dispute, draws);
        expect((await referee.refute(call(honest, { ...at, j: 0 }))).verdict, JSON.stringify(at)).toBe("NotRefuted");
        const lie = lieAt(dispute, at, draws);
        // the challenger knows what it was shown on the way to the leaf, and its own trace
        const { payee, target } = descend(program, honest, lie.trace);
        const found = { statement, traceRoot: lie.trace.root, evidence: evidence(target, payee) };
        expect((await referee.refute(found)).verdict, JSON.stringify(at)).toBe("refuted");
      }
    },
    patience,
  );
});
