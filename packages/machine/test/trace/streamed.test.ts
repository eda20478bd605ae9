import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  add,
  buildTrace,
  eq,
  foldTensorBytes,
  leafCount,
  mul,
  openTrace,
  openWasmWith,
  type Program,
  programBuilder,
  sub,
  type Trace,
  type TraceLimits,
  traceCost,
  traceInMemory,
} from "../../src/index.ts";
import { forge, type RandomJob, randomJob } from "../../src/testing/index.ts";
import { tensorsOfStage } from "../../src/trace/firstFalse.ts";
import { firstProgram, hex, littleEndian, secondProgram } from "../support/knownPrograms.ts";
import { manyLeaves } from "./manyLeaves.ts";
import { rootOfOpened, walkedLeaves } from "./walk.ts";

const source = (constants: Uint8Array[]) => (index: number) => constants[index] ?? new Uint8Array(0);
const inMemory = ({ program, constants, job }: RandomJob): Trace => traceInMemory(program, source(constants), job);
async function streamed({ program, constants, job }: RandomJob, limits: Partial<TraceLimits> = {}) {
  return openTrace(await openWasmWith(program, source(constants), {}), job, limits);
}

/** Kept levels, kept tensors, rows that are put together and recomputed pieces, all as small as they can be. */
const TIGHT: TraceLimits = { keptBytes: 64, smallBytes: 0, innermostBytes: 1, cacheBytes: 1 };

function expectSame(program: Program, actual: Trace, expected: Trace): void {
  expect(hex(actual.root)).toBe(hex(expected.root));
  expect(actual.firstFalse).toEqual(expected.firstFalse);
  walkedLeaves(program, actual);
  for (const stage of program.stages.keys())
    for (const of of tensorsOfStage(program, stage, actual.T)) {
      const leaves = leafCount(foldTensorBytes(program, of, actual.T));
      const first = leaves >> 1;
      const length = Math.min(3, leaves - first);
      const opened = actual.open(of, first, length);
      expect(opened).toEqual(expected.open(of, first, length));
      expect(rootOfOpened(program, { of, first, opened, T: actual.T })).toEqual(actual.root);
    }
}

describe("openTrace", () => {
  it("gives the known roots", async () => {
    const first = {
      program: firstProgram(),
      constants: [littleEndian(1, [1, 1, 1, 1, -1, 2, -3, 4, 127, 127, 127, -128])],
      job: { T: 3, request: [littleEndian(1, [1, -2, 3, -128])], claimed: [littleEndian(4, [-189, -789, 24957])] },
    };
    const second = {
      program: secondProgram(),
      constants: [littleEndian(2, [300, -200, 100, -50, 125, 7])],
      job: {
        T: 5,
        request: [littleEndian(8, [-5, 3])],
        claimed: [littleEndian(4, [-5, 221, -349, 97, -305])],
      },
    };
    expect(hex((await streamed(first)).root)).toBe("0ffc36b85e63766b4ac518544430c49d161d42cc0588cb4483053838362d5a71");
    expect(hex((await streamed(second)).root)).toBe("4914ab357347f7e0839d4a11099609ee7ec251543ce4026d731891f502e11e91");
  });

  it.each([
    { behaviour: "of programs that are served step by step", stepwise: true, limits: {} },
    { behaviour: "of programs that are run whole", stepwise: false, limits: {} },
    { behaviour: "with the least memory, step by step", stepwise: true, limits: TIGHT },
    { behaviour: "with the least memory, whole", stepwise: false, limits: TIGHT },
  ])("is the trace in memory, $behaviour", ({ stepwise, limits }) =>
    fc.assert(
      fc.asyncProperty(randomJob({ stepwise }), async (random) =>
        expectSame(random.program, await streamed(random, limits), inMemory(random)),
      ),
      { numRuns: 40 },
    ),
  );

  it.each([
    { behaviour: "kept from the lowest level", limits: {} },
    { behaviour: "recomputed from the root down", limits: TIGHT },
    { behaviour: "put together in several passes", limits: { innermostBytes: 700, smallBytes: 0 } },
    { behaviour: "with the smallest tensors kept", limits: { ...TIGHT, smallBytes: 6_000 } },
  ])("is the trace in memory of tensors of many leaves, $behaviour", async ({ limits }) => {
    const random = manyLeaves();
    for (const T of [1, 2, 60]) {
      const job = { ...random.job, T };
      expectSame(random.program, await streamed({ ...random, job }, limits), inMemory({ ...random, job }));
    }
  });

  it("is the trace in memory of a loop that keeps fewer steps than it takes", async () => {
    const p = programBuilder({ maxT: 90 });
    const walk = p.loop({}, (loop) => {
      const first = loop.fold({ type: "i64", cols: 2 }, ({ t, c }) =>
        add(mul(loop.prev(first, 0, sub(1, c)), 3), add(t, loop.prev(second, 0, 0))),
      );
      const second = loop.fold({ type: "i64" }, ({ t }) => sub(loop.now(first, 0, 1), t));
      return first;
    });
    const wide = p.fold({ type: "i64", cols: 40 }, ({ t, c }) => add(walk.at(t, 0, 0), c));
    p.fold({ type: "i8" }, ({ t }) => eq(wide.at(t, 0, 3), t));
    const random = { program: p.build(), constants: [], job: { T: 90, request: [], claimed: [] } };
    expectSame(random.program, await streamed(random, TIGHT), inMemory(random));
  });

  it("can be forged like a trace in memory", async () => {
    const random = manyLeaves();
    const [actual, expected] = [await streamed(random, TIGHT), inMemory(random)];
    const changes = [
      { of: { stage: 2, fold: 0, t: 1 }, index: 2, bytes: Uint8Array.of(1, 2, 3) },
      { of: { stage: 0, fold: 0, t: 0 }, index: 17, bytes: new Uint8Array(1_024).fill(7) },
    ];
    const forged = [actual, expected].map((trace) => forge(trace, { program: random.program, changes }));
    expect(hex(forged[0]?.root ?? new Uint8Array())).toBe(hex(forged[1]?.root ?? new Uint8Array()));
    for (const { of, index } of changes) expect(forged[0]?.open(of, index, 1)).toEqual(forged[1]?.open(of, index, 1));
  });

  it("gives the engine's memory back, and refuses a job that does not fit the program", async () => {
    const { program, job } = manyLeaves();
    const engine = await openWasmWith(program, source([]), {});
    openTrace(engine, job).close();
    const before = engine.usedBytes;
    const trace = openTrace(engine, job);
    expect(engine.usedBytes).toBeGreaterThan(before);
    trace.close();
    expect(engine.usedBytes).toBe(before);
    expect(() => openTrace(engine, { ...job, T: 61 })).toThrow(expect.objectContaining({ code: "machine.bad_job" }));
    expect(engine.usedBytes).toBe(before);
  });
});

describe("buildTrace", () => {
  it("goes forward in slices between which sessions move, and can be given up", async () => {
    const random = manyLeaves();
    const engine = await openWasmWith(random.program, source([]), {});
    const build = buildTrace(engine, random.job);
    const seen = [build.progress];
    let trace: Trace | undefined;
    while (!trace) {
      trace = build.advance();
      seen.push(build.progress);
      const session = engine.open({ request: [] });
      engine.advance([{ session, steps: 3, claimed: [], want: [] }]);
      session.close();
    }
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect([seen[0], seen.at(-1)]).toEqual([0, 1]);
    expect(hex(trace.root)).toBe(hex(inMemory(random).root));
    trace.close();

    const before = engine.usedBytes;
    const abandoned = buildTrace(engine, random.job);
    abandoned.advance();
    abandoned.close();
    expect(engine.usedBytes).toBe(before);
  });
});

describe("traceCost", () => {
  it("counts the bytes of a trace, and its leaves and nodes unless a loop has histories", () =>
    fc.assert(
      fc.property(randomJob(), ({ program, job: { T } }) => {
        const tensors = program.stages.flatMap((_, stage) => [...tensorsOfStage(program, stage, T)]);
        const sizes = tensors.map((of) => foldTensorBytes(program, of, T));
        const bytes = sizes.reduce((sum, size) => sum + size, 0);
        const leaves = sizes.reduce((sum, size) => sum + leafCount(size), 0);
        const cost = traceCost(program, T);
        expect(cost.bytes).toBe(bytes);
        expect(cost.leaves).toBeGreaterThanOrEqual(leaves);
        // a tree over so many leaves in so many lists has one node less than it has leaves
        expect(cost.nodes).toBeGreaterThanOrEqual(leaves - 1);
        const hasHistory = program.stages.some(
          ({ order, folds }) => order === 2 && folds.some(({ cols }) => cols >>> 30 === 2),
        );
        if (!hasHistory) expect([cost.leaves, cost.nodes]).toEqual([leaves, leaves - 1]);
      }),
      { numRuns: 60 },
    ));
});
