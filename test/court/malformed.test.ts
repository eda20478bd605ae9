import {
  clearRefutation,
  type ProgramBytes,
  programBuilder,
  programBytes,
  programEvidence,
  type Refutation,
  size,
} from "@foldmark/machine";
import { leafHash, listRoot } from "@foldmark/machine/commitments";
import { randomJob } from "@foldmark/machine/testing";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";

import { cases, type Draws, drawsFrom, patience, testSeed } from "../support/deep.ts";
import {
  codeOf,
  DECLARED,
  HEADER,
  tensorsIn,
  u32,
  withCode,
  withFold,
  withFolds,
  withHeader,
  withRecord,
  withStage,
  written,
} from "../support/programEdits.ts";
import { openReferee, type Referee } from "../support/referee.ts";
import type { RefuteCall } from "../support/refuteCall.ts";

const [SIZE_0, KIND_1, KIND_2, KIND_3] = [0, 1 << 30, (2 << 30) >>> 0, (3 << 30) >>> 0];
const [REQUEST, CLAIMED, CONSTANT] = [0, 1, 2];
const [PLAIN, TRANSPOSED, MAXIMUM, LOOP, LAST] = [0, 1, 2, 3, 4];
const lit = (n: number): number[] => Array.from({ length: n }, () => [0x01, 1]).flat();
const tensorLoads = (n: number): number[] => Array.from({ length: n }, () => [0x01, 0, 0x01, 0, 0x0b, 0, 0]).flat();
/** As many loads whose values are added up, so that the stack stays low. */
const addedLoads = (n: number): number[] => [
  ...tensorLoads(1),
  ...Array.from({ length: n - 1 }, () => [...tensorLoads(1), 0x10]).flat(),
];

/** A plain fold, one of order 1, an argmax, a loop of two folds, and the last. */
function base(): ProgramBytes {
  const p = programBuilder({ maxT: 100 });
  const request = p.request({ type: "i8", rows: 1, cols: 4 });
  p.claimed({ type: "i32", rows: 1, cols: size.steps() });
  p.constant({ type: "i8", rows: 3, cols: 4 });
  const plain = p.fold({ type: "i32", rows: 2, cols: size.history }, ({ c }) => request.at(0, c));
  p.sum({ type: "i16", cols: 3, order: 1, axis: 5 }, { body: ({ k }) => k, finish: ({ acc }) => acc });
  p.argmax({ axis: size.history }, ({ t, k }) => plain.at(t, 0, k));
  p.loop({}, (loop) => {
    const first = loop.fold({ type: "i64" }, ({ t }) => t);
    return loop.fold({ type: "i8" }, () => loop.now(first, 0, 0));
  });
  p.fold({ type: "i8" }, () => 1);
  return programBytes(p.build());
}

const bad = (what: string, program: ProgramBytes) => ({ what, program });
const tensor = (what: string, number: number, at: number, values: Uint8Array | readonly number[]) =>
  bad(
    what,
    withRecord(base(), number, (record) => written(record, at, values)),
  );
const stage = (what: string, number: number, at: number, values: Uint8Array | readonly number[]) =>
  bad(
    what,
    withStage(base(), number, (record) => written(record, at, values)),
  );
const fold = (what: string, of: { stage: number; fold?: number }, at: number, values: Uint8Array | readonly number[]) =>
  bad(what, withFold(base(), of, at, values));
const code = (what: string, of: number | { stage: number; fold: number }, code: Uint8Array) =>
  bad(
    what,
    withCode(base(), typeof of === "number" ? { stage: of } : of, () => code),
  );

const malformed = [
  bad("version 0", withHeader(base(), HEADER.version, [0])),
  bad("version 2", withHeader(base(), HEADER.version, [2])),
  bad("version 257", withHeader(base(), HEADER.version, [1, 1])),
  bad("no stage", { ...withHeader(base(), HEADER.stages, [0, 0]), records: base().records.slice(0, 3), codes: [] }),
  bad("a longest job of 0", withHeader(base(), HEADER.maxT, u32(0))),
  bad("a longest job above 2^24", withHeader(base(), HEADER.maxT, u32(2 ** 24 + 1))),
  ...[REQUEST, CLAIMED, CONSTANT].flatMap((number) => [
    tensor(`tensor ${number} of type 4`, number, DECLARED.type, [4]),
    tensor(`tensor ${number} of type 255`, number, DECLARED.type, [255]),
    tensor(`tensor ${number} with no row`, number, DECLARED.rows, u32(SIZE_0)),
    tensor(`tensor ${number} with no column`, number, DECLARED.cols, u32(SIZE_0)),
    tensor(`tensor ${number} with T / 0 rows`, number, DECLARED.rows, u32(KIND_1)),
    tensor(`tensor ${number} with t + 1 rows`, number, DECLARED.rows, u32(KIND_2)),
    tensor(`tensor ${number} with t + 1 columns`, number, DECLARED.cols, u32(KIND_2)),
    tensor(`tensor ${number} with columns of kind 3`, number, DECLARED.cols, u32(KIND_3 + 1)),
    tensor(`tensor ${number} of more than 2^40 bytes`, number, DECLARED.rows, [...u32(2 ** 30 - 1), ...u32(2 ** 12)]),
    bad(
      `tensor ${number} with a record cut short`,
      withRecord(base(), number, (record) => record.subarray(0, 8)),
    ),
    bad(
      `tensor ${number} with a longer record`,
      withRecord(base(), number, (record) => Buffer.concat([record, Buffer.of(0)])),
    ),
    bad(
      `tensor ${number} with no record`,
      withRecord(base(), number, () => new Uint8Array()),
    ),
  ]),
  tensor("a request of T columns", REQUEST, DECLARED.cols, u32(KIND_1 + 1)),
  tensor("a constant of T columns", CONSTANT, DECLARED.cols, u32(KIND_1 + 1)),
  ...[PLAIN, TRANSPOSED, LOOP].flatMap((number) => [
    stage(`stage ${number} of order 3`, number, 0, [3]),
    stage(`stage ${number} of order 255`, number, 0, [255]),
    stage(`stage ${number} with no step`, number, 1, u32(SIZE_0)),
    stage(`stage ${number} with t + 1 steps`, number, 1, u32(KIND_2)),
    stage(`stage ${number} with T / 0 steps`, number, 1, u32(KIND_1)),
    stage(`stage ${number} with steps of kind 3`, number, 1, u32(KIND_3 + 7)),
    fold(`stage ${number} of type 4`, { stage: number }, DECLARED.type, [4]),
    fold(`stage ${number} with no row`, { stage: number }, DECLARED.rows, u32(SIZE_0)),
    fold(`stage ${number} with t + 1 rows`, { stage: number }, DECLARED.rows, u32(KIND_2)),
    fold(`stage ${number} with t + 1 columns and more`, { stage: number }, DECLARED.cols, u32(KIND_2 + 1)),
    fold(`stage ${number} of more than 2^40 bytes`, { stage: number }, DECLARED.rows, [
      ...u32(2 ** 30 - 1),
      ...u32(2 ** 12),
    ]),
    bad(
      `stage ${number} with a record cut short`,
      withStage(base(), number, (record) => record.subarray(0, record.length - 1)),
    ),
    bad(
      `stage ${number} with a longer record`,
      withStage(base(), number, (record) => Buffer.concat([record, Buffer.of(0)])),
    ),
    bad(`stage ${number} with no fold`, withFolds(base(), number, 0)),
    bad(
      `stage ${number} with no record`,
      withStage(base(), number, () => new Uint8Array()),
    ),
  ]),
  fold("a second fold of type 4", { stage: LOOP, fold: 1 }, DECLARED.type, [4]),
  fold("order 1 with t + 1 columns", { stage: TRANSPOSED }, DECLARED.cols, u32(KIND_2)),
  bad("order 0 with two folds", withFolds(base(), PLAIN, 2)),
  bad("order 1 with two folds", withFolds(base(), TRANSPOSED, 2)),
  bad("a loop of 17 folds", withFolds(base(), LOOP, 17)),
  bad(
    "a history of more than 2^40 bytes",
    withHeader(fold("", { stage: PLAIN }, DECLARED.rows, u32(2 ** 10)).program, HEADER.maxT, u32(2 ** 20)),
  ),

  code("a code of 7 bytes", PLAIN, Uint8Array.from([0, 0, 0, 0, 0, 1, 0])),
  code("no code", PLAIN, new Uint8Array()),
  code("a code of 1,025 bytes", PLAIN, codeOf([...Array.from({ length: 1_018 }, () => 0x1f)].fill(0x04, 0, 1))),
  code("combine 3", PLAIN, codeOf([4], [], { combine: 3, axis: 1 })),
  code("combine 255", PLAIN, codeOf([4], [], { combine: 255 })),
  code("none with an axis", PLAIN, codeOf([4], [], { axis: 1 })),
  code("none with an axis of another kind", PLAIN, codeOf([4], [], { axis: KIND_2 })),
  code("a sum with no axis", PLAIN, codeOf([4], [], { combine: 1 })),
  code("a sum over kind 3", PLAIN, codeOf([4], [], { combine: 1, axis: KIND_3 + 1 })),
  code("a sum over t + 1 and more", PLAIN, codeOf([4], [], { combine: 1, axis: KIND_2 + 1 })),
  code("a sum over T / 0", PLAIN, codeOf([4], [], { combine: 1, axis: KIND_1 })),
  code("an empty body", PLAIN, Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 4])),
  code("a body beyond the code", PLAIN, Uint8Array.from([0, 0, 0, 0, 0, 2, 0, 4])),
  code("a body far beyond the code", PLAIN, Uint8Array.from([0, 0, 0, 0, 0, 255, 255, 4])),
  code("an argmax with a finish", MAXIMUM, codeOf([4], [9], { combine: 2, axis: 1 })),
  code("an argmax of i16", TRANSPOSED, codeOf([4], [], { combine: 2, axis: 1 })),
  code("an argmax of i64", LOOP, codeOf([4], [], { combine: 2, axis: 1 })),
  ...[0x00, 0x0f, 0x22, 0x7f, 0x80, 0xff].map((op) => code(`operation ${op}`, PLAIN, codeOf([4, 4, 4, op]))),
  ...[[0x01], [0x02, 0, 0, 0], [0x03, 0, 0, 0, 0, 0, 0, 0], [4, 0x0a], [4, 4, 0x0b, 0], [4, 4, 4, 0x0c, 0, 0]].map(
    (body) =>
      code(`operation ${body.find((byte) => byte !== 4)} whose immediate is cut in the body`, LAST, codeOf(body, [9])),
  ),
  code("an immediate that is cut at the end", LAST, codeOf([4], [9, 0x02, 0, 0])),
  ...[0x10, 0x12, 0x13, 0x15, 0x1d, 0x1f, 0x21].map((op) =>
    code(`operation ${op} on nothing`, PLAIN, codeOf([op, 4, 4, 4])),
  ),
  code("an addition of one", PLAIN, codeOf([4, 0x10])),
  code("a select of two", PLAIN, codeOf([4, 4, 0x1d])),
  code("a load with one index", PLAIN, codeOf([4, 0x0b, 0, 0])),
  code("33 entries", PLAIN, codeOf(lit(33))),
  code("33 entries for a moment", PLAIN, codeOf([...lit(33), 0x10, 0x10])),
  code("33 entries by a pick", PLAIN, codeOf([...lit(32), 0x0a, 0])),
  code("a pick below the stack", PLAIN, codeOf([4, 0x0a, 1])),
  code("a pick of nothing", PLAIN, codeOf([0x0a, 0, 4])),
  code("a pick far below the stack", PLAIN, codeOf([4, 0x0a, 255])),
  code("k in a finish", TRANSPOSED, codeOf([7], [9, 7, 0x10], { combine: 1, axis: 5 })),
  code("acc in a body", TRANSPOSED, codeOf([9], [9], { combine: 1, axis: 5 })),
  code("now outside a loop", LAST, codeOf([4, 4, 0x0d, 0])),
  code("prev outside a loop", LAST, codeOf([4, 4, 0x0e, 0])),
  code("33 loads", LAST, codeOf(addedLoads(33))),
  code("33 loads in body and finish", LAST, codeOf(addedLoads(30), addedLoads(3))),
  code("33 loads, one of a tensor that is not there", LAST, codeOf([...addedLoads(32), 4, 4, 0x0b, 255, 255, 0x10])),
  code("a tensor that is not there", LAST, codeOf([4, 4, 0x0b, 3, 0])),
  code("tensor 65,535", LAST, codeOf([4, 4, 0x0b, 255, 255])),
  code("its own stage", PLAIN, codeOf([4, 4, 4, 0x0c, PLAIN, 0, 0])),
  code("a later stage", PLAIN, codeOf([4, 4, 4, 0x0c, LAST, 0, 0])),
  code("a stage that is not there", LAST, codeOf([4, 4, 4, 0x0c, 5, 0, 0])),
  code("a fold that is not there", LAST, codeOf([4, 4, 4, 0x0c, LOOP, 0, 2])),
  code("a second fold of order 0", LAST, codeOf([4, 4, 4, 0x0c, PLAIN, 0, 1])),
  code("now of itself", { stage: LOOP, fold: 1 }, codeOf([4, 4, 0x0d, 1])),
  code("now of the first by itself", { stage: LOOP, fold: 0 }, codeOf([4, 4, 0x0d, 0])),
  code("now of a later fold", { stage: LOOP, fold: 0 }, codeOf([4, 4, 0x0d, 1])),
  code("prev of a fold that is not there", { stage: LOOP, fold: 0 }, codeOf([4, 4, 0x0e, 2])),
  code("a load in a finish that is not there", LAST, codeOf([4], [4, 4, 0x0b, 9, 0])),
];

const wellFormed = [
  bad("the program that they are made of", base()),
  code("32 entries", PLAIN, codeOf(lit(32))),
  code("32 loads", LAST, codeOf(addedLoads(32))),
  code("32 loads in body and finish", LAST, codeOf(addedLoads(30), addedLoads(2))),
  code("a code of 1,024 bytes", PLAIN, codeOf(Array.from({ length: 1_017 }, (_, i) => (i === 0 ? 0x04 : 0x1f)))),
  code("the shortest code", PLAIN, codeOf([4])),
  code("a pick of the lowest entry", PLAIN, codeOf([...lit(31), 0x0a, 30])),
  code("prev of itself", { stage: LOOP, fold: 0 }, codeOf([4, 4, 0x0e, 0])),
  code("prev of a later fold", { stage: LOOP, fold: 0 }, codeOf([4, 4, 0x0e, 1])),
  code("the last tensor and the stage before", LAST, codeOf([4, 4, 0x0b, 2, 0, 4, 4, 4, 0x0c, LOOP, 0, 1])),
  code("a sum over the largest axis", TRANSPOSED, codeOf([4], [9], { combine: 1, axis: 2 ** 30 - 1 })),
  bad("a loop of 16 folds", withFolds(base(), LOOP, 16)),
  bad(
    "the longest job",
    withHeader(fold("", { stage: PLAIN }, DECLARED.cols, u32(1)).program, HEADER.maxT, u32(2 ** 24)),
  ),
  tensor("a tensor of 2^40 bytes", CONSTANT, DECLARED.rows, [...u32(2 ** 20), ...u32(2 ** 20)]),
  fold("a fold of 2^40 bytes", { stage: LOOP, fold: 1 }, DECLARED.rows, [...u32(2 ** 20), ...u32(2 ** 20)]),
  tensor("T / n columns of a claimed tensor", CLAIMED, DECLARED.cols, u32(KIND_1 + 2 ** 30 - 1)),
];

describe("a program", () => {
  let referee: Referee;
  beforeAll(async () => {
    referee = await openReferee();
  });

  const verdict = async (program: ProgramBytes, evidence: Refutation) =>
    (await referee.refute(callOf(program, evidence))).verdict;

  it.each(malformed)("with $what makes a statement false", async ({ program }) => {
    const evidence = clearRefutation(program, 1);
    expect(evidence).toBeDefined();
    expect(evidence && (await verdict(program, evidence))).toBe("refuted");
  });

  it.each(wellFormed)("with $what is well-formed, and asks for leaves", async ({ program }) => {
    expect(clearRefutation(program, 1)).toBeUndefined();
    for (const [stage, codes] of program.codes.entries())
      for (const fold of codes.keys())
        expect(await verdict(program, programEvidence(program, { stage, fold })), `${stage} ${fold}`).toBe(
          "MissingLeaf",
        );
  });

  it(
    "is malformed or not as the loader says, whatever bytes of it change",
    async () => {
      const draws = drawsFrom(testSeed);
      const programs = fc
        .sample(randomJob(), { seed: testSeed, numRuns: 100 })
        .map(({ program }) => programBytes(program));
      let [faulty, sound] = [0, 0];
      for (let changed = 0; changed < cases(3_000); changed += 50) {
        const asked = Array.from({ length: 50 }, () =>
          changedProgram(draws.pick([base(), draws.pick(programs)]), draws),
        ).flatMap((program) => {
          const evidence = clearRefutation(program, 1);
          evidence ? faulty++ : sound++;
          if (evidence) return [{ program, evidence, expected: "refuted" }];
          const folds = program.codes.flatMap((codes, stage) => codes.map((_, fold) => ({ stage, fold })));
          return folds.map((at) => ({ program, evidence: programEvidence(program, at), expected: "MissingLeaf" }));
        });
        const outcomes = await referee.refuteAll(asked.map(({ program, evidence }) => callOf(program, evidence)));
        for (const [i, { verdict: got }] of outcomes.entries()) {
          const { program, evidence, expected } = asked[i] as (typeof asked)[number];
          if (got !== expected)
            expect.fail(`${got} instead of ${expected} (seed ${testSeed}): ${shown(program, evidence)}`);
        }
      }
      expect(Math.min(faulty, sound)).toBeGreaterThan(cases(3_000) / 10);
    },
    patience,
  );

  it("is of no account where T is out of range", async () => {
    const { header, records } = base();
    const asked = [0, 1, 100, 101, 2 ** 32 - 1].map((T) => {
      const call = callOf({ header, records, codes: [] }, NOTHING);
      return { ...call, statement: { ...call.statement, T } };
    });
    const verdicts = (await referee.refuteAll(asked)).map(({ verdict }) => verdict);
    expect(verdicts).toEqual(["refuted", "MissingRecord", "MissingRecord", "refuted", "refuted"]);
  });
});

const NOTHING: Refutation = {
  ...{ target: { stage: 0, fold: 0, t: 0, r: 0, c: 0, j: 0 }, records: [], code: new Uint8Array(), openings: [] },
};
const NO_ROOT = new Uint8Array(32);

function callOf({ header, records }: ProgramBytes, evidence: Refutation): RefuteCall {
  const programRoot = listRoot(records.map(leafHash));
  const roots = { weightsRoot: NO_ROOT, requestRoot: NO_ROOT, claimedRoot: NO_ROOT };
  return { statement: { header, programRoot, ...roots, T: 1 }, traceRoot: NO_ROOT, evidence };
}

/** One or two bytes of code or records are others; the codes' hashes are those of the codes. */
function changedProgram(program: ProgramBytes, draws: Draws): ProgramBytes {
  let changed = program;
  for (let times = draws.pick([1, 1, 2]); times > 0; times--) {
    const stages = changed.codes.length;
    const stage = draws.below(stages);
    if (draws.below(10) < 7) {
      const fold = draws.below(changed.codes[stage]?.length ?? 1);
      changed = withCode(changed, { stage, fold }, (code) => changedBytes(code, draws));
    } else {
      const index = draws.pick([draws.below(tensorsIn(changed)), tensorsIn(changed) + stage]);
      const isStage = index >= tensorsIn(changed);
      // the hashes of codes stay as they are
      const declared = isStage ? 5 + 9 : 9;
      changed = withRecord(changed, index, (record) => written(record, draws.below(declared), [draws.pick(BYTES)]));
    }
  }
  return changed;
}

const BYTES = [0, 1, 2, 3, 4, 5, 7, 9, 0x0a, 0x0b, 0x0c, 0x0d, 0x10, 0x1d, 0x21, 0x22, 0x40, 0x80, 0xc0, 0xff];

function changedBytes(bytes: Uint8Array, draws: Draws): Uint8Array {
  const at = draws.below(bytes.length);
  switch (draws.below(6)) {
    case 0:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)]);
    case 1:
      return Buffer.concat([bytes.subarray(0, at), Buffer.of(draws.pick(BYTES)), bytes.subarray(at)]);
    default:
      return written(bytes, at, [draws.below(2) > 0 ? draws.pick(BYTES) : draws.below(256)]);
  }
}

const shown = (program: ProgramBytes, { target }: Refutation): string =>
  JSON.stringify({ ...program, target }, (_, value) =>
    value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value,
  );
