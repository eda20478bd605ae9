import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sha256 } from "../src/hash.ts";
import {
  add,
  BYTES,
  claimedBeforeLast,
  clamp,
  type Engine,
  eq,
  MachineError,
  mul,
  openReference,
  openWasm,
  type Program,
  programBuilder,
  type Session,
  size,
  sub,
} from "../src/index.ts";
import { type RandomJob, randomJob } from "../src/testing/index.ts";
import { littleEndian } from "./support/knownPrograms.ts";

/**
 * Keeps x, which later steps sum, and y, which only the last stage loads. Request: an addend of x, an addend of y, and a
 * number that the last stage compares with y.
 */
function summing(constant: number): { program: Program; source: () => Uint8Array; x: number; y: number } {
  const p = programBuilder({ maxT: 9 });
  const request = p.request({ type: "i32", rows: 1, cols: 3 });
  const token = p.claimed({ type: "i32", rows: 1, cols: size.steps() });
  const weight = p.constant({ type: "i8", rows: 1, cols: 1 });
  const x = p.fold({ type: "i16" }, ({ t }) =>
    clamp(add(mul(token.at(0, t), weight.at(0, 0)), request.at(0, 0)), -99, 99),
  );
  const sum = p.sum({ type: "i32", axis: size.history }, { body: ({ k }) => x.at(k, 0, 0) });
  const y = p.fold({ type: "i32" }, ({ t }) => add(sum.at(t, 0, 0), request.at(0, 1)));
  p.fold({ type: "i8" }, ({ t }) => eq(y.at(sub(t, 1), 0, 0), request.at(0, 2)));
  return { program: p.build(), source: () => Uint8Array.of(constant), x: x.stage, y: y.stage };
}

const requestOf = (...values: number[]) => [littleEndian(4, values)];
const code = (name: string) => expect.objectContaining({ code: name });

const BACK_ENDS = [
  { name: "reference", open: openReference },
  { name: "wasm", open: openWasm },
];

describe.each(BACK_ENDS)("a snapshot of $name", ({ open }) => {
  async function taken(constant = 3) {
    const { program, source, y } = summing(constant);
    const engine = await open(program, source);
    const session = engine.open({ request: requestOf(1, 2, 0) });
    step(engine, session, y);
    step(engine, session, y);
    return { engine, session, y, snapshot: engine.snapshot(session) };
  }

  it("holds the steps that were taken, not those that there is room for", async () => {
    const { engine, session, snapshot } = await taken();
    const roomy = engine.restore(snapshot, { reserveSteps: 9 });
    expect(engine.snapshot(roomy)).toEqual(snapshot);
    expect(roomy.steps).toBe(session.steps);
  });

  it("is refused at any other length", async () => {
    const { engine, snapshot } = await taken();
    for (let length = 0; length < snapshot.length; length++)
      expect(() => engine.restore(snapshot.subarray(0, length)), `${length} bytes`).toThrow(
        code("machine.bad_snapshot"),
      );
    const longer = new Uint8Array(snapshot.length + 1);
    longer.set(snapshot);
    expect(() => engine.restore(longer)).toThrow(code("machine.bad_snapshot"));
    expect(() => engine.restore(sealed(longer))).toThrow(code("machine.bad_snapshot"));
  });

  it("is refused with any other byte", async () => {
    const { engine, snapshot } = await taken();
    for (let at = 0; at < snapshot.length; at++) {
      const damaged = snapshot.slice();
      damaged[at] = (damaged[at] as number) ^ 1;
      expect(() => engine.restore(damaged), `byte ${at}`).toThrow(code("machine.bad_snapshot"));
    }
  });

  it("is refused by an engine with other constants or another program", async () => {
    const { snapshot } = await taken();
    const other = await taken(4);
    expect(() => other.engine.restore(snapshot)).toThrow(code("machine.snapshot_mismatch"));
    const p = programBuilder({ maxT: 9 });
    p.fold({ type: "i8" }, () => 1);
    const engine = await open(p.build(), () => new Uint8Array());
    expect(() => engine.restore(snapshot)).toThrow(code("machine.snapshot_mismatch"));
  });

  it("is refused with more steps than a job may have", async () => {
    const { engine, snapshot } = await taken();
    const changed = snapshot.slice();
    new DataView(changed.buffer).setUint32(STEPS_AT, 0xffff_ffff, true);
    expect(() => engine.restore(sealed(changed))).toThrow(code("machine.bad_snapshot"));
  });

  it("is refused with a value that its fold cannot have", async () => {
    const { engine, snapshot } = await taken();
    const kept = STEPS_AT + 4 + 3 * 4 + 2 * 4 + 2; // steps, request, tokens, whether y was computed; then x
    expect(new Int16Array(snapshot.slice(kept, kept + 4).buffer)).toEqual(Int16Array.of(22, 22)); // 7 * 3 + 1
    for (const { value, isPossible } of [
      { value: 99, isPossible: true },
      { value: 100, isPossible: false },
      { value: -100, isPossible: false },
    ]) {
      const changed = snapshot.slice();
      new DataView(changed.buffer).setInt16(kept, value, true);
      const restore = () => engine.restore(sealed(changed));
      if (isPossible) expect(restore).not.toThrow();
      else expect(restore, `${value}`).toThrow(code("machine.bad_snapshot"));
    }
  });

  it("never breaks an engine, whatever was written into it", () =>
    fc.assert(
      fc.asyncProperty(
        randomJob({ stepwise: true }),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        async (random, changes) => {
          const { program, job, constants } = random;
          const engine = await open(program, (index) => constants[index] ?? new Uint8Array());
          const session = engine.open(job);
          const half = Math.floor(job.T / 2);
          if (half > 0) advance(engine, session, random, half);
          const snapshot = engine.snapshot(session);
          for (const [at, byte] of changes) snapshot[at % snapshot.length] = byte;
          unless(() => {
            const restored = engine.restore(sealed(snapshot));
            if (restored.steps < job.T) advance(engine, restored, random, job.T - restored.steps);
            engine.finish(restored, job);
          });
          advance(engine, session, random, job.T - half);
          const last = { stage: program.stages.length - 1, fold: 0, steps: "all" as const };
          expect(engine.finish(session, job)).toEqual(engine.run({ ...job, want: [last] })[0]);
        },
      ),
      { numRuns: 60 },
    ));
});

describe.each(BACK_ENDS)("a fork of $name with another request", ({ open }) => {
  const ones = new Uint8Array(3).fill(1);

  it("is refused where what is kept depends on what differs", async () => {
    const { program, source, y } = summing(3);
    const engine = await open(program, source);
    const session = engine.open({ request: requestOf(1, 2, 0) });
    step(engine, session, y);
    expect(() => engine.fork(session, { request: requestOf(9, 2, 0) })).toThrow(code("machine.request_mismatch"));
    expect(() => engine.fork(session, { request: requestOf(1, 2) })).toThrow(code("machine.bad_job"));
    expect(() => engine.fork(session, { steps: 2 })).toThrow(code("machine.bad_steps"));
    expect(() => engine.open({ request: requestOf(1, 2, 0) }, { reserveSteps: 10 })).toThrow(code("machine.bad_steps"));
  });

  it("answers it, and computes again what only the last stage loads", async () => {
    const { program, source, y } = summing(0);
    const engine = await open(program, source);
    const session = engine.open({ request: requestOf(0, 5, 5) });
    for (let t = 0; t < 3; t++) step(engine, session, y);
    const job = { T: 3, claimed: [littleEndian(4, [7, 7, 7])] };
    expect(engine.finish(session, { ...job, request: requestOf(0, 5, 5) })).toEqual(ones);
    const fork = engine.fork(session, { request: requestOf(0, 6, 6) });
    expect(engine.finish(fork, { ...job, request: requestOf(0, 6, 6) })).toEqual(ones);
    expect(() => engine.finish(fork, { ...job, request: requestOf(0, 5, 5) })).toThrow(
      code("machine.request_mismatch"),
    );
    expect(step(engine, fork, y)).toEqual(littleEndian(4, [6]));
    expect(step(engine, session, y)).toEqual(littleEndian(4, [5]));
  });
});

/** Behind magic, version and identity. */
const STEPS_AT = 4 + 4 + 32;

/** A snapshot with its hash made anew. */
function sealed(snapshot: Uint8Array): Uint8Array {
  const copy = snapshot.slice();
  copy.set(sha256(copy.subarray(0, copy.length - 32)), copy.length - 32);
  return copy;
}

function step(engine: Engine, session: Session, stage: number): Uint8Array | undefined {
  const claimed = [littleEndian(4, [7])];
  return engine.advance([{ session, steps: 1, claimed, want: [{ stage, fold: 0, steps: "last" }] }])[0]?.[0];
}

function advance(engine: Engine, session: Session, { program, job }: RandomJob, steps: number): void {
  const isGiven = claimedBeforeLast(program);
  const claimed = program.claimed.map(({ type }, i) =>
    isGiven[i]
      ? (job.claimed[i] as Uint8Array).subarray(session.steps * BYTES[type], (session.steps + steps) * BYTES[type])
      : new Uint8Array(),
  );
  engine.advance([{ session, steps, claimed, want: [] }]);
}

function unless(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!(error instanceof MachineError)) throw error;
  }
}
