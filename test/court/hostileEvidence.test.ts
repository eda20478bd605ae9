import { type Refutation, sizeAt } from "@foldmark/machine";
import { type RandomJob, randomJob } from "@foldmark/machine/testing";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { type CourtCase, courtCase, drawElement, lieAt, shown } from "../support/courtCase.ts";
import { cases, type Draws, drawsFrom, patience, testSeed } from "../support/deep.ts";
import { attacks } from "../support/hostile.ts";
import { openReferee, type Referee } from "../support/referee.ts";
import { encodeRefute, type RefuteCall } from "../support/refuteCall.ts";
import { tinyPrograms } from "../support/tinyPrograms.ts";

const PROGRAMS = 100;
const EVIDENCES_EACH = 8;

describe("evidence against an honest trace", () => {
  let referee: Referee;
  let disputes: CourtCase[];
  beforeAll(async () => {
    referee = await openReferee();
    const jobs = fc.sample(randomJob(), { seed: testSeed, numRuns: PROGRAMS }).map(withTrueStatement);
    disputes = [...tinyPrograms.map(({ job }) => job), ...jobs].map(courtCase);
  }, patience);

  it(
    "proves nothing, however it is forged",
    async () => {
      const draws = drawsFrom(testSeed);
      const honest = disputes.map((dispute) => honestEvidence(dispute, draws));
      for (let sent = 0; sent < cases(10_000); ) {
        const which = draws.below(disputes.length);
        const dispute = disputes[which] as CourtCase;
        const others = honest[which] ?? [];
        const foreign = honest[(which + 1) % honest.length] ?? [];
        const hostile = Array.from({ length: 64 }, () => {
          let evidence = draws.pick(others);
          const done: string[] = [];
          for (let times = draws.pick([1, 1, 1, 2, 3]); times > 0; times--) {
            if (evidence.openings.length === 0 || evidence.records.length === 0) break;
            const { attack, on } = draws.pick(attacks);
            evidence = on({ evidence, others, foreign, draws });
            done.push(attack);
          }
          return { evidence, what: done.join(", then ") };
        });
        sent += hostile.length;
        const calls = hostile.map(({ evidence }) => callOf(dispute, evidence));
        const outcomes = await referee.refuteAll(calls);
        for (const [i, { verdict }] of outcomes.entries())
          if (!isRevert(verdict))
            expect.fail(`${hostile[i]?.what}: ${verdict} (seed ${testSeed}) of ${shown(dispute.job)}`);
      }
    },
    patience,
  );

  it(
    "proves nothing with leaves and nodes of a lie beside it",
    async () => {
      const draws = drawsFrom(testSeed + 1);
      for (let sent = 0; sent < cases(1_000); sent += 40) {
        const dispute = draws.pick(disputes);
        const calls = Array.from({ length: 40 }, () => {
          const lie = lieAt(dispute, drawElement(dispute, draws), draws);
          const { evidence } = dispute.call(lie.trace, lie.target);
          const at = draws.below(evidence.openings.length);
          const truth = dispute.call(dispute.honest, lie.target).evidence;
          // of the lie all, or one opening, or the bytes of one, under the root of the truth
          const openings = draws.pick([
            evidence.openings,
            truth.openings.map((opening, i) => (i === at ? (evidence.openings[i] ?? opening) : opening)),
            truth.openings.map((opening, i) => ({ ...opening, data: evidence.openings[i]?.data ?? opening.data })),
          ]);
          return callOf(dispute, { ...evidence, openings });
        });
        for (const { verdict } of await referee.refuteAll(calls))
          if (!isRevert(verdict)) expect.fail(`${verdict} (seed ${testSeed}) of ${shown(dispute.job)}`);
      }
    },
    patience,
  );

  it(
    "proves nothing, whatever bytes of its calldata change",
    async () => {
      const draws = drawsFrom(testSeed + 2);
      const honest = disputes.map((dispute) => honestEvidence(dispute, draws));
      for (let sent = 0; sent < cases(1_000); sent += 50) {
        const which = draws.below(disputes.length);
        const dispute = disputes[which] as CourtCase;
        const calls = Array.from({ length: 50 }, () => {
          const bytes = encodeRefute(callOf(dispute, draws.pick(honest[which] ?? [])));
          for (let times = draws.pick([1, 2, 5]); times > 0; times--) {
            // what follows the statement and the root, which the court fixes
            const at = 7 * 32 + draws.below(draws.pick([9 * 32, bytes.length - 7 * 32]));
            bytes[at] = draws.pick([0, 1, 31, 32, 255, (bytes[at] ?? 0) ^ (1 << draws.below(8))]);
          }
          return draws.below(10) > 0 ? bytes : bytes.subarray(0, draws.below(bytes.length));
        });
        for (const bytes of calls) {
          const { verdict } = await referee.call(bytes);
          if (!isRevert(verdict)) expect.fail(`${verdict} (seed ${testSeed}) of ${shown(dispute.job)}`);
        }
      }
    },
    patience,
  );

  it("proves nothing before a root is posted, but what needs none", async () => {
    const draws = drawsFrom(testSeed + 3);
    const calls = disputes.flatMap((dispute) =>
      honestEvidence(dispute, draws).map((evidence) => ({
        ...callOf(dispute, evidence),
        traceRoot: new Uint8Array(32),
      })),
    );
    const verdicts = (await referee.refuteAll(calls)).map(({ verdict }) => verdict);
    expect(verdicts).toEqual(verdicts.map(() => "BadOpening"));
  });
});

/** Reverted, for a reason that it gives or because its arguments are no arguments. */
const isRevert = (verdict: string): boolean => verdict !== "refuted" && !verdict.startsWith("returned");

const callOf = ({ statement, honest }: CourtCase, evidence: Refutation): RefuteCall => ({
  ...{ statement, traceRoot: honest.root, evidence },
});

function honestEvidence(dispute: CourtCase, draws: Draws): Refutation[] {
  const { program, job, honest, isArgmax } = dispute;
  return Array.from({ length: EVIDENCES_EACH }, () => {
    const at = drawElement(dispute, draws);
    const axis = program.stages[at.stage]?.folds[at.fold]?.axis ?? 1;
    const j = isArgmax(at) ? draws.below(sizeAt(axis, { t: at.t, T: job.job.T })) : 0;
    return dispute.evidence({ ...at, j }, { trace: honest });
  });
}

/** The same job with a last stage that loads the one before and is 1 all the same. */
function withTrueStatement(job: RandomJob): RandomJob {
  const last = job.program.stages.length - 1;
  const body = Uint8Array.from([0x04, 0x05, 0x06, 0x0c, last & 255, last >> 8, 0, 0x01, 1]);
  const fold = { type: "i8", rows: 1, cols: 1, combine: "none", axis: 0, body, finish: new Uint8Array() } as const;
  const stages = [...job.program.stages, { order: 0 as const, steps: 3, folds: [fold] }];
  return { ...job, program: { ...job.program, stages } };
}
