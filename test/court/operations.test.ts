import {
  type Arithmetic,
  type ElementType,
  elementBytes,
  mul,
  OPS,
  type Program,
  programBuilder,
  RANGE,
  saturate,
  type Value,
} from "@foldmark/machine";
import type { RandomJob } from "@foldmark/machine/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { operation } from "../../packages/machine/src/builder/expr.ts";
import { changedAlone, leafWith, valueAt } from "../../packages/machine/test/support/mutations.ts";
import { courtCase } from "../support/courtCase.ts";
import { cases, drawsFrom, patience, testSeed } from "../support/deep.ts";
import { openReferee, type Referee } from "../support/referee.ts";

const MIN = -(2n ** 63n);
const MAX = 2n ** 63n - 1n;
/** Where operations go wrong: signs, ends of types, ties of roundings, shift counts at and around 0, 63 and 64, squares. */
const BOUNDARIES: readonly bigint[] = [
  ...[MIN, MIN + 1n, -(2n ** 62n), -(2n ** 32n), -(2n ** 31n) - 1n, -(2n ** 31n), -65n, -64n, -63n, -8n, -5n, -3n],
  ...[-2n, -1n, 0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n, 15n, 16n, 31n, 32n, 33n, 62n, 63n, 64n, 65n, 99n, 100n, 127n],
  ...[128n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 32n + 1n, 3037000499n, 3037000500n],
  ...[3037000499n ** 2n, 3037000499n ** 2n - 1n, 2n ** 62n - 1n, 2n ** 62n, MAX - 1n, MAX],
];
const LENGTH = 60;
const ARITHMETIC = Object.keys(OPS).filter((op): op is Arithmetic => OPS[op as Arithmetic].code >= 0x10);

/** Steps that each draw three operands; the first with what an operation gives, the second with a sum over 60 of it. */
function operationJob(op: Arithmetic, T: number, seed: number): RandomJob {
  const draws = drawsFrom(seed);
  const p = programBuilder({ maxT: T });
  const given = p.constant({ type: "i64", rows: 3 * T, cols: LENGTH });
  const of = (t: Value, k: Value) =>
    operation(op, ...Array.from({ length: OPS[op].operands }, (_, i) => given.at(operation("add", mul(t, 3), i), k)));
  p.fold({ type: "i64" }, ({ t }) => of(t, 0));
  // a weight for each term, lest two errors cancel
  p.sum({ type: "i64", axis: LENGTH }, { body: ({ t, k }) => mul(of(t, k), operation("add", mul(k, 2), 1)) });
  p.fold({ type: "i8" }, () => 1);
  const values = Array.from({ length: 3 * T * LENGTH }, () =>
    draws.below(4) > 0
      ? draws.pick(BOUNDARIES)
      : BigInt.asIntN(64, BigInt(draws.below(2 ** 32)) * 2n ** 32n + BigInt(draws.below(2 ** 32))) >>
        BigInt(draws.below(64)),
  );
  return {
    ...{ program: p.build(), constants: [elementBytes("i64", values)] },
    job: { T, request: [], claimed: [] },
  };
}

describe("the deployed referee", () => {
  let referee: Referee;
  beforeAll(async () => {
    referee = await openReferee();
  });

  const verdictsOf = async (job: RandomJob, stage: number) => {
    const dispute = courtCase(job);
    const { program, honest, call } = dispute;
    const calls = Array.from({ length: job.job.T }, (_, t) => {
      const at = { stage, fold: 0, t, r: 0, c: 0 };
      const wrong = BigInt.asIntN(64, valueAt(program, honest, at) + 1n);
      const lie = changedAlone(program, honest, leafWith(program, honest, at, wrong));
      return [call(honest, { ...at, j: 0 }), call(lie, { ...at, j: 0 })];
    });
    return (await referee.refuteAll(calls.flat())).map(({ verdict }) => verdict);
  };
  const asExpected = (T: number) => Array.from({ length: T }, () => ["NotRefuted", "refuted"]).flat();

  it.each(ARITHMETIC)(
    "computes %s of scalars as the reference does",
    async (op) => {
      const T = cases(60);
      expect(await verdictsOf(operationJob(op, T, testSeed), 0), `seed ${testSeed}`).toEqual(asExpected(T));
    },
    patience,
  );

  it.each(ARITHMETIC)(
    "computes %s of vectors as the reference does",
    async (op) => {
      const T = cases(10);
      expect(await verdictsOf(operationJob(op, T, testSeed + 1), 1), `seed ${testSeed}`).toEqual(asExpected(T));
    },
    patience,
  );

  it.each([
    { type: "i8", values: [-129n, -128n, -127n, 0n, 126n, 127n, 128n, MIN, MAX] },
    { type: "i16", values: [-32_769n, -32_768n, -32_767n, -1n, 32_766n, 32_767n, 32_768n, MIN, MAX] },
    { type: "i32", values: [-(2n ** 31n) - 1n, -(2n ** 31n), 2n ** 31n - 2n, 2n ** 31n - 1n, 2n ** 31n, MIN, MAX] },
    { type: "i64", values: [MIN, MIN + 1n, -1n, 0n, MAX - 1n, MAX] },
  ] as const)(
    "saturates into $type, and takes no other value",
    async ({ type, values }) => {
      const job = storeJob(type, values);
      const { program, honest, call } = courtCase(job);
      const { lo, hi } = RANGE[type];
      const asked = values.flatMap((value, c) =>
        [lo, lo + 1n, -1n, 0n, 1n, hi - 1n, hi].map((stored) => {
          const at = { stage: 0, fold: 0, t: 0, r: 0, c };
          const trace = changedAlone(program, honest, leafWith(program, honest, at, stored));
          const right = saturate(type, value);
          return { call: call(trace, { ...at, j: 0 }), verdict: stored === right ? "NotRefuted" : "refuted" };
        }),
      );
      const outcomes = await referee.refuteAll(asked.map((each) => each.call));
      expect(outcomes.map(({ verdict }) => verdict)).toEqual(asked.map(({ verdict }) => verdict));
    },
    patience,
  );
});

/** A fold whose elements are these values, stored as a type. */
function storeJob(type: ElementType, values: readonly bigint[]): RandomJob {
  const p = programBuilder({ maxT: 1 });
  const given = p.request({ type: "i64", rows: 1, cols: values.length });
  p.fold({ type, cols: values.length }, ({ c }) => given.at(0, c));
  p.fold({ type: "i8" }, () => 1);
  const program: Program = p.build();
  return { program, constants: [], job: { T: 1, request: [elementBytes("i64", values)], claimed: [] } };
}
