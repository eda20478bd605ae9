import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { MachineError } from "../../src/errors.ts";
import type { Session } from "../../src/index.ts";
import { openWasmWith, type WasmEngine } from "../../src/wasm/index.ts";
import { Arena } from "../../src/wasm/memory.ts";
import { tinyConstants, tinyTransformer } from "./tinyTransformer.ts";

const shape = { maxT: 100, width: 24, heads: 2, group: 2, headSize: 16, vocabulary: 30, layers: 3 };
const { program, logits, sample } = tinyTransformer(shape);
const constants = tinyConstants(program, 3);
const source = (index: number) => constants[index] ?? new Uint8Array();
const i32 = (values: number[]) => new Uint8Array(Int32Array.from(values).buffer);
const prompt = [3, 1, 4];
const request = [i32([...prompt, ...Array<number>(shape.maxT - prompt.length).fill(0)]), i32([prompt.length])];
const tokens = [...prompt, ...Array.from({ length: shape.maxT - prompt.length }, (_, t) => (t * 7) % shape.vocabulary)];
const outOfMemory = expect.objectContaining({ code: "machine.out_of_memory" });

function move(engine: WasmEngine, session: Session, steps: number): Uint8Array {
  const claimed = [i32(tokens.slice(session.steps, session.steps + steps))];
  const want = [{ stage: logits.stage, fold: 0, steps: "last" as const }];
  return engine.advance([{ session, steps, claimed, want }])[0]?.[0] as Uint8Array;
}

const finish = (engine: WasmEngine, session: Session, T: number) =>
  engine.finish(session, { T, request, claimed: [i32(tokens.slice(0, T))] });

/** An engine that may take so many bytes besides what it needs for one session. */
async function roomy(moreBytes: number): Promise<WasmEngine> {
  const first = await openWasmWith(program, source, {});
  first.open({ request }, { reserveSteps: shape.maxT }).close();
  return openWasmWith(program, source, { memoryLimitBytes: first.usedBytes + moreBytes });
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("the memory of a session", () => {
  it("is all there once it was opened for its steps", async () => {
    const engine = await openWasmWith(program, source, {});
    const session = engine.open({ request }, { reserveSteps: 90 });
    const used = engine.usedBytes;
    const allocate = vi.spyOn(Arena.prototype, "allocate");
    move(engine, session, 70);
    while (session.steps < 90) move(engine, session, 1);
    finish(engine, session, 91);
    expect(allocate).not.toHaveBeenCalled();
    expect(engine.usedBytes).toBe(used);
  });

  it("is as much as was said before", async () => {
    const engine = await openWasmWith(program, source, {});
    engine.open({ request }, { reserveSteps: shape.maxT });
    for (const steps of [1, 2, 63, 64, 65, 99, 100]) {
      const before = engine.usedBytes;
      const session = engine.open({ request }, { reserveSteps: steps });
      expect(engine.usedBytes - before, `${steps} steps`).toBe(engine.sessionBytes(steps));
      session.close();
      expect(engine.usedBytes).toBe(before);
    }
  });

  it("is found as long as so much is free, whoever came and went, and nothing is lost when sessions are moved", async () => {
    const engine = await roomy(2 * 65_536);
    const reference = engine.open({ request }, { reserveSteps: shape.maxT });
    const expected = tokens.map(() => move(engine, reference, 1));
    reference.close();
    const before = engine.usedBytes;
    let refused = 0;
    fc.assert(
      fc.property(
        fc.array(fc.record({ what: fc.constantFrom("open", "open", "close", "move"), amount: fc.nat(999) }), {
          ...{ minLength: 30, maxLength: 90 },
        }),
        (script) => {
          const live: { session: Session; room: number }[] = [];
          for (const { what, amount } of script) {
            const chosen = live[amount % Math.max(live.length, 1)];
            if (what === "open") {
              const room = 1 + (amount % shape.maxT);
              const open = () => live.push({ session: engine.open({ request }, { reserveSteps: room }), room });
              if (engine.sessionBytes(room) <= engine.freeBytes) open();
              else {
                refused++;
                expect(open).toThrow(outOfMemory);
              }
            } else if (what === "close" && chosen) {
              live.splice(live.indexOf(chosen), 1);
              chosen.session.close();
            } else if (chosen && chosen.session.steps < chosen.room) {
              const last = move(engine, chosen.session, 1 + (amount % (chosen.room - chosen.session.steps)));
              expect(last).toEqual(expected[chosen.session.steps - 1]);
            }
          }
          for (const { session, room } of live) {
            if (session.steps < room) expect(move(engine, session, room - session.steps)).toEqual(expected[room - 1]);
            session.close();
          }
          expect(engine.usedBytes).toBe(before);
        },
      ),
      { numRuns: 60 },
    );
    expect(refused).toBeGreaterThan(20);
  });

  it("may lack at any allocation: that call fails, and everything else goes on", async () => {
    const work = (engine: WasmEngine): Uint8Array[] => {
      const results: Uint8Array[] = [];
      const opened: Session[] = [];
      const keep = (session: Session) => {
        opened.push(session);
        return session;
      };
      try {
        const session = keep(engine.open({ request }));
        results.push(move(engine, session, 3), move(engine, session, 70));
        const fork = keep(engine.fork(session, { steps: 40 }));
        results.push(move(engine, fork, 5));
        const restored = keep(engine.restore(engine.snapshot(fork), { reserveSteps: 90 }));
        results.push(move(engine, restored, 1), finish(engine, restored, 46));
        const wants = [{ stage: sample.stage, fold: 0, steps: "last" as const }];
        results.push(...engine.run({ T: 9, request, claimed: [i32(tokens.slice(0, 9))], want: wants }));
        return results;
      } finally {
        for (const session of opened) session.close();
      }
    };
    const settled = await openWasmWith(program, source, {});
    const expected = work(settled);
    const { allocate } = Arena.prototype;
    let failed = 0;
    for (let failing = 1; ; failing++) {
      const engine = await openWasmWith(program, source, {});
      const neighbour = engine.open({ request });
      const first = move(engine, neighbour, 2);
      let calls = 0;
      const spy = vi.spyOn(Arena.prototype, "allocate").mockImplementation(function (this: Arena, bytes, owner) {
        if (++calls === failing) throw new MachineError("machine.out_of_memory", "There is no more.");
        return allocate.call(this, bytes, owner);
      });
      let error: unknown;
      try {
        work(engine);
      } catch (thrown) {
        error = thrown;
      }
      spy.mockRestore();
      if (error === undefined) break;
      failed++;
      expect(error).toEqual(outOfMemory);
      const again = engine.open({ request });
      expect(move(engine, again, 2), `after allocation ${failing} failed`).toEqual(first);
      again.close();
      const goesOn = engine.open({ request });
      move(engine, goesOn, 2);
      expect(move(engine, neighbour, 1)).toEqual(move(engine, goesOn, 1));
      for (const session of [neighbour, goesOn]) session.close();
      expect(work(engine)).toEqual(expected);
      expect(engine.usedBytes, `after allocation ${failing} failed`).toBe(settled.usedBytes);
    }
    expect(failed).toBeGreaterThan(5);
  });

  it("is given back by a whole run that is aborted, wherever it ended", async () => {
    const engine = await openWasmWith(program, source, {});
    const want = [sample.stage, program.stages.length - 1].map((stage) => ({ stage, fold: 0, steps: "all" as const }));
    const job = { T: 9, request, claimed: [i32(tokens.slice(0, 9))], want };
    let asked = 0;
    const expected = engine.run(job, { isAborted: () => ++asked < 0 });
    const used = engine.usedBytes;
    for (let last = 1; last <= asked; last += 7) {
      let left = last;
      const aborted = () => engine.run(job, { isAborted: () => --left === 0 });
      expect(aborted, `ask ${last} of ${asked}`).toThrow(expect.objectContaining({ code: "machine.aborted" }));
      expect(engine.usedBytes).toBe(used);
    }
    expect(engine.run(job)).toEqual(expected);
  });

  it("is there for a judgement that was aborted, and what it has computed counts", async () => {
    const engine = await openWasmWith(program, source, {});
    const session = engine.open({ request }, { reserveSteps: 80 });
    engine.advance([{ session, steps: 80, claimed: [i32(tokens.slice(0, 80))], want: [] }]);
    const [expected] = engine.run({
      ...{ T: 80, request, claimed: [i32(tokens.slice(0, 80))] },
      want: [{ stage: program.stages.length - 1, fold: 0, steps: "all" }],
    });
    let asked = 0;
    const fork = engine.fork(session);
    const judge = (of: Session, isAborted: () => boolean) =>
      engine.finish(of, { T: 80, request, claimed: [i32(tokens.slice(0, 80))] }, { isAborted });
    expect(judge(fork, () => ++asked < 0)).toEqual(expected);
    let left = Math.floor(asked / 2);
    expect(() => judge(session, () => --left === 0)).toThrow(expect.objectContaining({ code: "machine.aborted" }));
    expect(judge(session, () => false)).toEqual(expected);
  });

  it("need not be zero", async () => {
    const engine = await openWasmWith(program, source, {});
    const clean = engine.open({ request });
    const expected = tokens.slice(0, 80).map(() => move(engine, clean, 1));
    const { allocate } = Arena.prototype;
    vi.spyOn(Arena.prototype, "allocate").mockImplementation(function (this: Arena, bytes, owner) {
      const at = allocate.call(this, bytes, owner);
      this.bytes.fill(0xa5, at, at + bytes);
      return at;
    });
    for (const options of [{}, { reserveSteps: 80 }]) {
      const dirty = engine.open({ request }, options);
      expect(tokens.slice(0, 80).map(() => move(engine, dirty, 1))).toEqual(expected);
      expect(finish(engine, dirty, 80)).toEqual(finish(engine, clean, 80));
    }
  });
});
