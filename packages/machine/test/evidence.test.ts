import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  CommittedTensors,
  clearRefutation,
  programBytes,
  type Refutation,
  RevealedNodes,
  refutationOf,
  type Target,
  traceInMemory,
} from "../src/index.ts";
import { type RandomJob, randomJob } from "../src/testing/index.ts";
import { descend } from "./support/descent.ts";
import { judge } from "./support/judge.ts";
import { manyLeaves } from "./support/manyLeaves.ts";
import {
  anotherValue,
  changedAlone,
  changedThroughout,
  leafWith,
  pickElement,
  valueAt,
  withAllTrue,
} from "./support/mutations.ts";

const picks = fc.array(fc.nat(), { minLength: 6, maxLength: 6 });

function dispute({ program, constants, job }: RandomJob) {
  const honest = traceInMemory(program, (i) => constants[i] ?? new Uint8Array(), job);
  const disputed = { ...job, constants: CommittedTensors.of(constants) };
  return {
    ...{ program, job, honest },
    verdict: (root: Uint8Array, evidence: Refutation) => judge(program, { ...job, constants }, root, evidence),
    evidence: (target: Target, payee = { trace: honest }) => refutationOf(program, disputed, target, payee),
  };
}

describe("evidence", () => {
  it("holds all that is read of an honest element, which it does not refute", () =>
    fc.assert(
      fc.property(randomJob(), picks, (random, picked) => {
        const { program, job, honest, verdict, evidence } = dispute(random);
        const target = { ...pickElement(program, job.T, picked), j: 0 };
        const isFalseItself = target.stage === program.stages.length - 1 && valueAt(program, honest, target) !== 1n;
        expect(verdict(honest.root, evidence(target))).toBe(isFalseItself);
      }),
      { numRuns: 300 },
    ));

  it("refutes a changed element in the payee's tree, known only as far as the payee has shown it", () =>
    fc.assert(
      fc.property(randomJob(), picks, fc.boolean(), fc.boolean(), (random, picked, alone, forgesOk) => {
        const { program, job, honest, verdict, evidence } = dispute(random);
        const at = pickElement(program, job.T, picked);
        const value = anotherValue(program, at, { value: valueAt(program, honest, at), pick: picked[5] ?? 0 });
        const change = leafWith(program, honest, at, value);
        const lie = alone ? changedAlone(program, honest, change) : changedThroughout(random, honest, change);
        const forged = forgesOk ? withAllTrue(program, lie) : lie;
        fc.pre(!Buffer.from(forged.root).equals(honest.root)); // the lie was in ok, and ok is the truth
        const { payee, target } = descend(program, honest, forged);
        expect(verdict(forged.root, evidence(target, payee))).toBe(true);
      }),
      { numRuns: 300 },
    ));

  it("has each leaf once, adjacent ones together", () =>
    fc.assert(
      fc.property(randomJob(), picks, (random, picked) => {
        const { program, job, evidence } = dispute(random);
        const { openings } = evidence({ ...pickElement(program, job.T, picked), j: 0 });
        const places = openings.flatMap(({ isFold, number, fold, t, first, data }) =>
          Array.from({ length: Math.ceil(data.length / 1_024) }, (_, i) =>
            [isFold, number, fold, t, first + i].join(" "),
          ),
        );
        expect(new Set(places).size).toBe(places.length);
        for (const a of openings)
          for (const b of openings) {
            const isNext = b.first === a.first + Math.ceil(a.data.length / 1_024);
            const isSame = a.isFold === b.isFold && a.number === b.number && a.fold === b.fold && a.t === b.t;
            expect(isNext && isSame).toBe(false);
          }
      }),
      { numRuns: 100 },
    ));
});

describe("evidence from a trace of many leaves", () => {
  const { program, job, honest, verdict, evidence } = dispute(manyLeaves());

  it("is found by a descent through every list", () =>
    fc.assert(
      fc.property(picks, fc.boolean(), (picked, forgesOk) => {
        const at = pickElement(program, job.T, picked);
        const value = anotherValue(program, at, { value: valueAt(program, honest, at), pick: picked[5] ?? 0 });
        const alone = changedAlone(program, honest, leafWith(program, honest, at, value));
        const forged = forgesOk ? withAllTrue(program, alone) : alone;
        fc.pre(!Buffer.from(forged.root).equals(honest.root));
        const { payee, target } = descend(program, honest, forged);
        expect(target).toMatchObject(at);
        expect(verdict(forged.root, evidence(target, payee))).toBe(true);
      }),
      { numRuns: 100 },
    ));

  it("asks for what the payee has not shown", () => {
    const at = { stage: 1, fold: 1, t: 20, r: 0, c: 150 };
    const forged = changedAlone(program, honest, leafWith(program, honest, at, 7n));
    const { payee, target } = descend(program, honest, forged);
    const { theirs } = payee;
    if (!theirs) throw new Error("the traces are equal");
    const knownLess = { ...payee, theirs: { ...theirs, nodes: new RevealedNodes() } };
    expect(() => evidence(target, knownLess)).toThrow(expect.objectContaining({ code: "machine.evidence_missing" }));
  });
});

describe("clear evidence", () => {
  it("is there for T out of range and not for a well-formed program", () =>
    fc.assert(
      fc.property(randomJob(), fc.integer({ min: -2, max: 20 }), ({ program }, T) => {
        const evidence = clearRefutation(programBytes(program), T);
        expect(evidence !== undefined).toBe(T < 1 || T > program.maxT);
        expect(evidence?.records ?? []).toEqual([]);
      }),
    ));
});
