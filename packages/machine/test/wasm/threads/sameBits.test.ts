import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Engine, Session, Want } from "../../../src/engine.ts";
import { openReference, openTrace, openWasmWith, type Program } from "../../../src/index.ts";
import { randomJob } from "../../../src/testing/index.ts";
import { tinyConstants, tinyTransformer } from "../tinyTransformer.ts";

const shape = { maxT: 200, width: 128, heads: 6, group: 3, headSize: 16, vocabulary: 300, layers: 2 };
const { program, logits } = tinyTransformer(shape);
const constants = tinyConstants(program, 7);
const source = (index: number) => constants[index] ?? new Uint8Array();
const wants: Want[] = [{ stage: logits.stage, fold: 0, steps: "all" }];
const i32 = (values: number[]) => new Uint8Array(Int32Array.from(values).buffer);
const request = [i32([3, ...Array<number>(shape.maxT - 1).fill(0)]), i32([1])];
const tokens = Array.from({ length: 150 }, (_, t) => (t * 37 + 11) % shape.vocabulary);

/** Moves sessions by the given numbers of steps, all in the same calls, and returns what they want of each. */
function move(engine: Engine, sessions: Session[], pieces: number[]): Uint8Array[] {
  const parts = sessions.map((): Uint8Array[] => []);
  for (const steps of pieces) {
    const moves = sessions.map((session) => ({
      ...{ session, steps, want: wants },
      claimed: [i32(tokens.slice(session.steps, session.steps + steps))],
    }));
    for (const [at, [bytes]] of engine.advance(moves).entries()) parts[at]?.push(bytes as Uint8Array);
  }
  return parts.map((own) => Uint8Array.from(Buffer.concat(own)));
}

/** A difference of many bytes is not printed: that takes minutes. */
const firstDifference = (actual: Uint8Array | undefined, expected: Uint8Array | undefined): number =>
  actual?.length === expected?.length ? (actual?.findIndex((byte, at) => byte !== expected?.[at]) ?? -1) : 0;

const open = (engine: Engine) => engine.open({ request });
const wantsOf = ({ stages }: Program): Want[] =>
  stages.flatMap(({ folds }, stage) => folds.map((_, fold) => ({ stage, fold, steps: "all" as const })));

describe.each([2, 3, 4, 8])("%i threads", (threads) => {
  it("decode, prefill and batch to the bits of one thread, while memory grows", async () => {
    const [alone, engine] = [await openWasmWith(program, source, {}), await openWasmWith(program, source, { threads })];
    const [expected] = move(alone, [open(alone)], [150]);
    const decode = Array<number>(30).fill(1);
    const [decoded] = move(engine, [open(engine)], [1, ...decode, 70, ...decode, 19]);
    expect(firstDifference(decoded, expected), "decoded").toBe(-1);
    for (const pieces of [[150], [65, 64, 1, 20]]) {
      const [read] = move(engine, [open(engine)], pieces);
      expect(firstDifference(read, expected), `pieces of ${pieces}`).toBe(-1);
    }
    const before = engine.usedBytes;
    const many = Array.from({ length: 20 }, () => open(engine));
    for (const own of move(engine, many, [1, 7, 1, 1, 90])) {
      expect(own.length).toBeGreaterThan(0);
      expect(firstDifference(own, expected?.subarray(0, own.length)), "in a batch").toBe(-1);
    }
    expect(engine.usedBytes).toBeGreaterThan(before);
    engine.close();
    alone.close();
  });

  it("forks and restores to the bits of one thread", async () => {
    const [alone, engine] = [await openWasmWith(program, source, {}), await openWasmWith(program, source, { threads })];
    const [expected] = move(alone, [open(alone)], [150]);
    const session = open(engine);
    move(engine, [session], [100]);
    const rest = expected?.subarray(100 * shape.vocabulary * 4);
    const others = [engine.fork(session), engine.restore(engine.snapshot(session))];
    for (const bytes of move(engine, others, [50])) expect(firstDifference(bytes, rest)).toBe(-1);
    const [elsewhere] = move(alone, [alone.restore(engine.snapshot(session))], [50]);
    expect(firstDifference(elsewhere, rest)).toBe(-1);
    engine.close();
  });

  it("commit to the trace of one thread", async () => {
    const job = { T: 70, request, claimed: [i32(tokens.slice(0, 70))] };
    const roots: Uint8Array[] = [];
    for (const options of [{}, { threads }]) {
      const engine = await openWasmWith(program, source, options);
      const trace = openTrace(engine, job);
      roots.push(trace.root, trace.open({ stage: logits.stage, fold: 0, t: 0 }, 0, 2).data);
      engine.close();
    }
    expect(roots.slice(2)).toEqual(roots.slice(0, 2));
  });
});

it("runs random programs on some threads to the bytes of the reference", () =>
  fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 2, max: 4 }),
      fc.boolean().chain((stepwise) => randomJob({ stepwise })),
      async (threads, { program, constants, job }) => {
        const given = (index: number) => constants[index] ?? new Uint8Array();
        const wanted = { ...job, want: wantsOf(program) };
        const engine = await openWasmWith(program, given, { threads });
        expect(engine.run(wanted)).toEqual((await openReference(program, given)).run(wanted));
        engine.close();
      },
    ),
    { numRuns: 15 },
  ));
