import {
  ACCEPTANCE_LIMITS,
  costOfFold,
  type ElementAt,
  examineProgram,
  type Program,
  sizeAt,
  stepsOf,
} from "@foldmark/machine";
import { beforeAll, describe, expect, it } from "vitest";
import { llamaProgram } from "../../packages/workloads/src/llama/program.ts";
import { isDeep, patience } from "../support/deep.ts";
import { overrun } from "../support/evidenceCost.ts";
import { openReferee, type Referee } from "../support/referee.ts";
import { sparseRefutation } from "../support/sparse.ts";
import { strainingPrograms } from "../support/strainingPrograms.ts";

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
      const at = lastElement(program, program.stages.length - 2, T);
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

  it.each(isDeep ? [512, 2_048, 8_192] : [2_048])(
    "holds for every kind of fold of a Llama of 8 billion parameters at %i positions",
    async (T) => {
      const program = largeLlama(T);
      const stages = program.stages.length;
      // three before the layers, 19 of the last layer, four after it
      const kinds = [0, 1, 2, ...Array.from({ length: 23 }, (_, i) => stages - 23 + i)];
      for (const stage of kinds) {
        const at = lastElement(program, stage, T);
        const call = sparseRefutation(program, at, T);
        const outcome = await referee.refute(call);
        expect(["refuted", "NotRefuted"], `stage ${stage}`).toContain(outcome.verdict);
        expect(overrun(costOfFold(program, at), outcome, call.evidence).exceeds, `stage ${stage}`).toBeUndefined();
        expect(outcome.gas, `stage ${stage}`).toBeLessThan(2_500_000);
      }
    },
    patience,
  );
});

/** The shape of an 8-billion-parameter Llama; what its numbers are costs nothing. */
function largeLlama(maxT: number): Program {
  const layer = {
    ...{ attentionNorm: 43, query: 22, key: 20, value: 26, score: 4, attentionOut: 24 },
    ...{ ffnNorm: 42, gate: 23, up: 23, gateBits: 11, hidden: 11, down: 18 },
  };
  return llamaProgram({
    ...{ maxT, vocabulary: 128_256, width: 4_096, ffn: 14_336, heads: 32, kvHeads: 8, headSize: 128, isTied: false },
    ...{ stopIds: [2, 0], epsilon: 6_040, residualBits: 26, embedding: 11, headNorm: 45, head: 12 },
    layers: Array.from({ length: 32 }, () => layer),
  }).program;
}

/** The last element of the last step of a stage's first fold. */
function lastElement(program: Program, stage: number, T: number): ElementAt {
  const decl = program.stages[stage];
  const fold = decl?.folds[0];
  if (!decl || !fold) throw new Error("no such fold");
  const t = stepsOf(decl, T) - 1;
  return { stage, fold: 0, t, r: sizeAt(fold.rows, { t, T }) - 1, c: sizeAt(fold.cols, { t, T }) - 1 };
}
