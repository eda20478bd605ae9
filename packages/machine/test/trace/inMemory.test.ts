import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  childAt,
  descendants,
  elementOfPlace,
  foldTensorBytes,
  leafCount,
  type Position,
  placeOfElement,
  rootPosition,
  sizeAt,
  stepsOf,
  type Trace,
  traceByReference,
  traceFromTensors,
  traceInMemory,
} from "../../src/index.ts";
import { forge, forgeOnward, type RandomJob, randomJob } from "../../src/testing/index.ts";
import { tensorsOfStage } from "../../src/trace/firstFalse.ts";
import { firstProgram, hex, littleEndian, secondProgram } from "../support/knownPrograms.ts";
import { manyLeaves } from "./manyLeaves.ts";
import { rootOfOpened, same, walkedLeaves } from "./walk.ts";

const traceOf = ({ program, constants, job }: RandomJob): Trace =>
  traceInMemory(program, (index) => constants[index] ?? new Uint8Array(0), job);

describe("traceInMemory", () => {
  it("gives the known roots", () => {
    const rows = [1, 1, 1, 1, -1, 2, -3, 4, 127, 127, 127, -128];
    const first = traceOf({
      program: firstProgram(),
      constants: [littleEndian(1, rows)],
      job: { T: 3, request: [littleEndian(1, [1, -2, 3, -128])], claimed: [littleEndian(4, [-189, -789, 24957])] },
    });
    expect(hex(first.root)).toBe("0ffc36b85e63766b4ac518544430c49d161d42cc0588cb4483053838362d5a71");
    expect(first.firstFalse).toBeUndefined();
    const second = traceOf({
      program: secondProgram(),
      constants: [littleEndian(2, [300, -200, 100, -50, 125, 7])],
      job: {
        T: 5,
        request: [littleEndian(8, [-5, 3])],
        claimed: [littleEndian(4, [-5, 221, -349, 97, -305])],
      },
    });
    expect(hex(second.root)).toBe("4914ab357347f7e0839d4a11099609ee7ec251543ce4026d731891f502e11e91");
    expect(second.firstFalse).toBeUndefined();
  });

  it("names the first claimed value that is not what the program computes", () => {
    const trace = traceOf({
      program: firstProgram(),
      constants: [littleEndian(1, [1, 1, 1, 1, -1, 2, -3, 4, 127, 127, 127, -128])],
      job: { T: 3, request: [littleEndian(1, [1, -2, 3, -128])], claimed: [littleEndian(4, [-189, -788, 24956])] },
    });
    expect(trace.firstFalse).toEqual({ stage: 1, fold: 0, t: 1, r: 0, c: 0 });
  });

  it("has the reference's root, and every leaf from the root down", () =>
    fc.assert(
      fc.property(randomJob(), (random) => {
        const { program, constants, job } = random;
        const trace = traceOf(random);
        const expected = traceByReference(program, (index) => constants[index] ?? new Uint8Array(0), job);
        expect(trace.root).toEqual(expected.root);
        expect(trace.firstFalse === undefined).toBe(expected.isTrue);
        const leaves = walkedLeaves(program, trace);
        const all = program.stages.flatMap((_, stage) => [...tensorsOfStage(program, stage, job.T)]);
        const count = all.reduce((sum, of) => sum + leafCount(foldTensorBytes(program, of, job.T)), 0);
        expect(leaves).toHaveLength(count);
      }),
      { numRuns: 60 },
    ));

  it("opens any range of leaves up to the trace's root", () => {
    const { program, ...rest } = manyLeaves();
    const trace = traceOf({ program, ...rest });
    walkedLeaves(program, trace);
    for (const stage of program.stages.keys())
      for (const of of tensorsOfStage(program, stage, trace.T)) {
        const leaves = leafCount(foldTensorBytes(program, of, trace.T));
        for (let first = 0; first < leaves; first++)
          for (const length of [1, 2, 3, 5, leaves - first].filter((l) => first + l <= leaves)) {
            const opened = trace.open(of, first, length);
            const root = rootOfOpened(program, { of, first, opened, T: trace.T });
            expect(root, `${JSON.stringify(of)} ${first} ${length}`).toEqual(trace.root);
          }
      }
  });
});

describe("placeOfElement", () => {
  it("numbers the elements of every tensor without gap, and elementOfPlace goes back", () =>
    fc.assert(
      fc.property(randomJob(), ({ program, job: { T } }) => {
        for (const [stage, decl] of program.stages.entries())
          for (const fold of decl.folds.keys()) {
            const { type, rows, cols } = decl.folds[fold] ?? { type: "i8", rows: 1, cols: 1 };
            const seen = new Map<string, number[]>();
            for (let t = 0; t < stepsOf(decl, T); t++)
              for (let r = 0; r < sizeAt(rows, { t, T }); r++)
                for (let c = 0; c < sizeAt(cols, { t, T }); c++) {
                  const at = { stage, fold, t, r, c };
                  const { of, element } = placeOfElement(program, at, T);
                  expect(elementOfPlace(program, of, { element, T })).toEqual(at);
                  seen.set(JSON.stringify(of), [...(seen.get(JSON.stringify(of)) ?? []), element]);
                }
            for (const [of, elements] of seen) {
              const bytes = foldTensorBytes(program, JSON.parse(of), T);
              const width = { i8: 1, i16: 2, i32: 4, i64: 8 }[type];
              expect([...elements].sort((a, b) => a - b)).toEqual([...Array(bytes / width).keys()]);
            }
          }
      }),
      { numRuns: 40 },
    ));

  it.each([
    { behaviour: "a step past the last", at: { t: 60, r: 0, c: 0 } },
    { behaviour: "a column that a history does not have yet", at: { t: 3, r: 0, c: 4 } },
    { behaviour: "a negative row", at: { t: 3, r: -1, c: 0 } },
  ])("refuses $behaviour", ({ at }) => {
    const place = () => placeOfElement(manyLeaves().program, { stage: 0, fold: 0, ...at }, 60);
    expect(place).toThrow(expect.objectContaining({ code: "machine.bad_position" }));
  });
});

describe("childAt", () => {
  const { program } = manyLeaves();
  const T = 60;
  const enter = (stage: number): Position => childAt(rootPosition(program), 3, stage, { program, T });

  it.each([
    { behaviour: "an order 0 stage is its leaves", stage: 0, list: "leaves", height: 5, length: 29 },
    { behaviour: "an order 1 stage is its leaves", stage: 1, list: "leaves", height: 3, length: 5 },
    { behaviour: "a loop is its steps", stage: 2, list: "steps", height: 2, length: 3 },
    { behaviour: "a loop of one step and one fold is its leaves", stage: 3, list: "leaves", height: 2, length: 4 },
    { behaviour: "a tensor of one leaf is that leaf", stage: 4, list: "leaves", height: 0, length: 1 },
  ])("$behaviour", ({ stage, list, height, length }) => {
    expect(enter(stage)).toMatchObject({ stage, list, height, length, index: 0, t: 0, fold: 0 });
  });

  it("enters a step and its fold with their numbers", () => {
    const step = childAt(enter(2), 2, 1, { program, T });
    expect(step).toMatchObject({ list: "folds", stage: 2, t: 1, length: 2, height: 1 });
    const fold = childAt(step, 1, 1, { program, T });
    expect(fold).toMatchObject({ list: "leaves", stage: 2, t: 1, fold: 1, length: 1, tensorBytes: 2 });
  });

  it("refuses a node that is not under the position", () => {
    expect(descendants(enter(0), 4)).toEqual({ height: 1, first: 0, count: 15 });
    expect(() => childAt(enter(0), 4, 15, { program, T })).toThrow(/none of 15/);
    expect(() => childAt(enter(0), 6, 0, { program, T })).toThrow(/lies nothing/);
  });
});

describe("forge", () => {
  it("is the trace of the changed tensors", () => {
    const { program, ...rest } = manyLeaves();
    const honest = traceOf({ program, ...rest });
    for (const { stage, fold, t, index } of walkedLeaves(program, honest)) {
      const of = { stage, fold, t };
      const bytes = honest.leaf(of, index).map((byte, i) => (i === 0 ? byte ^ 1 : byte));
      const forged = forge(honest, { program, changes: [{ of, index, bytes }] });
      const expected = traceFromTensors(program, honest.T, (tensor) => {
        const all = wholeTensor(honest, { program, of: tensor });
        if (JSON.stringify(tensor) === JSON.stringify(of)) all.set(bytes, index * 1_024);
        return all;
      });
      expect(forged.root).toEqual(expected.root);
      expect(forged.root).not.toEqual(honest.root);
      expect(forged.leaf(of, index)).toEqual(bytes);
      expect(forged.open(of, 0, 1)).toEqual(expected.open(of, 0, 1));
      expect(forged.firstFalse).toEqual(expected.firstFalse);
    }
  });
});

describe("forgeOnward", () => {
  it("computes what loads a lie from it, and leaves what came before as it was", () =>
    fc.assert(
      fc.property(randomJob(), fc.nat(), (random, pick) => {
        const { program } = random;
        const honest = traceOf(random);
        const leaves = walkedLeaves(program, honest);
        const at = leaves[pick % leaves.length] ?? leaves[0];
        if (!at) throw new Error("no leaves");
        const of = { stage: at.stage, fold: at.fold, t: at.t };
        const bytes = honest.leaf(of, at.index).map((byte, i) => (i === 0 ? byte ^ 1 : byte));
        const lie = forgeOnward(honest, { ...random, change: { of, index: at.index, bytes } });
        expect(lie.leaf(of, at.index)).toEqual(bytes);
        const lies = walkedLeaves(program, lie).filter(
          (leaf) => !same(lie.leaf(leaf, leaf.index), honest.leaf(leaf, leaf.index)),
        );
        expect(lies[0], "the first leaf that differs").toEqual(at);
      }),
      { numRuns: 60 },
    ));
});

describe("a given tensor", () => {
  it("is what later stages are computed from", () => {
    const program = firstProgram();
    const constants = [littleEndian(1, [1, 1, 1, 1, -1, 2, -3, 4, 127, 127, 127, -128])];
    const job = { T: 3, request: [littleEndian(1, [1, -2, 3, -128])], claimed: [littleEndian(4, [-189, -7, 24957])] };
    const source = (index: number) => constants[index] ?? new Uint8Array(0);
    const of = { stage: 0, fold: 0, t: 0 };
    const lie = traceInMemory(program, source, { ...job, given: [{ of, bytes: littleEndian(4, [-189, -7, 24957]) }] });
    expect(lie.firstFalse).toBeUndefined();
    expect(traceInMemory(program, source, job).firstFalse).toEqual({ stage: 1, fold: 0, t: 1, r: 0, c: 0 });
    const short = () => traceInMemory(program, source, { ...job, given: [{ of, bytes: new Uint8Array(11) }] });
    expect(short).toThrow(expect.objectContaining({ code: "machine.bad_tensor" }));
  });
});

function wholeTensor(
  trace: Trace,
  { program, of }: { program: RandomJob["program"]; of: Parameters<Trace["leaf"]>[0] },
) {
  const leaves = leafCount(foldTensorBytes(program, of, trace.T));
  return Uint8Array.from(Buffer.concat(Array.from({ length: leaves }, (_, index) => trace.leaf(of, index))));
}
