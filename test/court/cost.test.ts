import { ACCEPTANCE_LIMITS, costOfFold, type ElementAt, examineProgram, sizeAt, stepsOf } from "@foldmark/machine";
import { beforeAll, describe, expect, it } from "vitest";
import { patience } from "../support/deep.ts";
import { overrun } from "../support/evidenceCost.ts";
import { openReferee, type Referee } from "../support/referee.ts";
import { sparseRefutation } from "../support/sparse.ts";
import { type Straining, strainingPrograms } from "../support/strainingPrograms.ts";

/** What pools and sequencers take. */
const LARGEST_TRANSACTION_BYTES = 95_000;

/** How large a trace may be is for each loader to say. */
const LIMITS = { ...ACCEPTANCE_LIMITS, work: 10n ** 30n, traceBytes: 2n ** 60n };
/** Bounds on evidence and gas. That a sum may overflow costs nothing. */
const BOUNDS = 2;

describe("the cost model", () => {
  let referee: Referee;
  beforeAll(async () => {
    referee = await openReferee();
  });

  it.each(strainingPrograms)(
    "holds for $what",
    async ({ program, T }) => {
      expect(examineProgram(program, LIMITS).refusals.filter(({ rule }) => rule === BOUNDS)).toEqual([]);
      const at = strained({ program, T });
      const cost = costOfFold(program, at);
      const call = sparseRefutation(program, at, T);
      const outcome = await referee.refute(call);
      expect(["refuted", "NotRefuted"]).toContain(outcome.verdict);
      const { exceeds } = overrun(cost, outcome, call.evidence);
      expect(exceeds).toBeUndefined();
      expect(outcome.calldataBytes).toBeLessThan(LARGEST_TRANSACTION_BYTES);
    },
    patience,
  );
});

/** The last element of the last step of the fold that is meant. */
function strained({ program, T }: Omit<Straining, "what">): ElementAt {
  const stage = program.stages.length - 2;
  const decl = program.stages[stage];
  const fold = decl?.folds[0];
  if (!decl || !fold) throw new Error("no such fold");
  const t = stepsOf(decl, T) - 1;
  return { stage, fold: 0, t, r: sizeAt(fold.rows, { t, T }) - 1, c: sizeAt(fold.cols, { t, T }) - 1 };
}
