import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  add,
  BYTES,
  claimedBeforeLast,
  type Engine,
  eq,
  isPerStep,
  type Job,
  mul,
  openReference,
  openWasm,
  type Program,
  programBuilder,
  type Session,
  select,
  size,
  sizeAt,
  sub,
  type Want,
} from "../src/index.ts";
import { type RandomJob, randomJob } from "../src/testing/index.ts";
import { littleEndian } from "./support/knownPrograms.ts";

const ACTIONS = ["move", "fork", "forkEarlier", "forkOther", "restore", "abort", "close"] as const;
type Action = { what: (typeof ACTIONS)[number]; amount: number; on: number };
const actions = fc.array(
  fc.record({ what: fc.constantFrom<Action["what"]>(...ACTIONS), amount: fc.nat(1_000), on: fc.nat(7) }),
  { minLength: 3, maxLength: 9 },
);

/** A session of an engine and what it answers. */
type Live = { engine: Engine; session: Session; job: Job };

describe("sessions that are forked, stored, restored and aborted", () => {
  it("give what a whole run gives, whatever happened to them, in every engine", () =>
    fc.assert(
      fc.asyncProperty(randomJob({ stepwise: true }), actions, async (random, script) => {
        const source = (index: number) => random.constants[index] ?? new Uint8Array();
        const opening = [openReference, openWasm, openWasm].map((open) => open(random.program, source));
        const play = new Play(random, await Promise.all(opening));
        for (const action of script) play.act(action);
        play.finish();
      }),
      { numRuns: 60 },
    ));
});

describe.each([
  { name: "reference", open: openReference },
  { name: "wasm", open: openWasm },
])("a call that is aborted, $name", ({ open }) => {
  it("leaves behind nothing of what it has computed, wherever it ended", async () => {
    const { program, total, seen } = running();
    const engine = await open(program, () => new Uint8Array());
    const tokens = Array.from({ length: 9 }, (_, t) => t + 1);
    const wants = [total, seen].map((stage) => ({ stage, fold: stage === total ? 1 : 0, steps: "all" as const }));
    const take = (session: Session, list: number[], want: Want[], isAborted = () => false) =>
      engine.advance([{ session, steps: list.length, claimed: [littleEndian(4, list)], want }], { isAborted });
    const prepared = () => {
      const session = engine.open({ request: [] });
      take(session, tokens.slice(0, 3), wants);
      return session;
    };
    const others = [50, 60, 70, 80, 90];
    let asked = 0;
    take(prepared(), others, wants, () => ++asked < 0);
    expect(asked).toBeGreaterThanOrEqual(others.length);
    for (let last = 1; last <= asked; last++) {
      const session = prepared();
      let left = last;
      const call = () => take(session, others, wants, () => --left === 0);
      expect(call, `ask ${last}`).toThrow(expect.objectContaining({ code: "machine.aborted" }));
      expect(session.steps).toBe(3);
      take(session, tokens.slice(3, 8), []);
      for (const T of [4, 5, 6, 7, 8, 9]) {
        const job = { T, request: [], claimed: [littleEndian(4, tokens.slice(0, T))] };
        expect(engine.finish(session, job), `ask ${last}, T ${T}`).toEqual(new Uint8Array(T).fill(1));
      }
      expect(take(session, [9], wants)).toEqual([[littleEndian(4, [45]), littleEndian(4, [46])]]);
    }
  });
});

describe("a question whether to abort", () => {
  it("may not ask the engine for anything meanwhile", async () => {
    const { program, total } = running();
    const engine = await openWasm(program, () => new Uint8Array());
    const session = engine.open({ request: [] });
    const want = [{ stage: total, fold: 1, steps: "last" as const }];
    const move = { session, steps: 1, claimed: [littleEndian(4, [1])], want };
    const nested = () => engine.advance([move], { isAborted: () => engine.open({ request: [] }).steps > 0 });
    expect(nested).toThrow(expect.objectContaining({ code: "machine.busy" }));
    expect(engine.advance([move])).toEqual([[littleEndian(4, [1])]]);
  });
});

/** A loop that sums tokens and keeps two steps of the sum; `seen` is one more, and what the last stage compares. */
function running(): { program: Program; total: number; seen: number } {
  const p = programBuilder({ maxT: 9 });
  const tokens = p.claimed({ type: "i32", rows: 1, cols: size.steps() });
  const total = p.loop({}, (loop) => {
    const sum = loop.fold({ type: "i32" }, ({ t }) => add(loop.prev(sum, 0, 0), tokens.at(0, t)));
    return loop.fold({ type: "i32" }, () => loop.now(sum, 0, 0));
  });
  const seen = p.fold({ type: "i32" }, ({ t }) => add(total.at(t, 0, 0), 1));
  p.fold({ type: "i8" }, ({ t }) =>
    eq(mul(seen.at(sub(t, 1), 0, 0), 2), select(eq(t, 0), 4, add(mul(t, add(t, 1)), 2))),
  );
  return { program: p.build(), total: total.stage, seen: seen.stage };
}

/** Sessions of several engines, each checked step by step against a whole run of its job by the first engine. */
class Play {
  readonly #program: Program;
  readonly #engines: Engine[];
  readonly #live: Live[];
  readonly #expected = new Map<Job, Uint8Array[]>();

  constructor({ program, job }: RandomJob, engines: Engine[]) {
    this.#program = program;
    this.#engines = engines;
    this.#live = engines.map((engine) => ({ engine, session: engine.open(job), job }));
  }

  act({ what, amount, on }: Action): void {
    const live = this.#live[on % this.#live.length] as Live;
    const { engine, session, job } = live;
    const steps = amount % (session.steps + 1);
    switch (what) {
      case "move":
        this.#move(live, 1 + (amount % 4), amount % 3 === 0 ? [] : this.#wants(1));
        break;
      case "fork": {
        const reserveSteps = amount % (this.#program.maxT + 1);
        this.#add(live, engine.fork(session, { reserveSteps }));
        break;
      }
      case "forkEarlier":
        unless("machine.step_missing", () => this.#add(live, engine.fork(session, { steps })));
        break;
      case "forkOther": {
        const request = otherRequest(job.request, amount);
        unless("machine.request_mismatch", () =>
          this.#add({ ...live, job: { ...job, request } }, engine.fork(session, { request })),
        );
        break;
      }
      case "restore": {
        const other = this.#engines[amount % this.#engines.length] as Engine;
        this.#add({ ...live, engine: other }, other.restore(engine.snapshot(session)));
        break;
      }
      case "abort":
        this.#abort(live, amount);
        break;
      case "close":
        if (this.#live.length === 1) break;
        this.#live.splice(this.#live.indexOf(live), 1);
        session.close();
    }
  }

  /** Takes the steps that are left of every session, and judges its job. */
  finish(): void {
    for (const live of this.#live) {
      while (live.session.steps < live.job.T) this.#move(live, 3);
      expect(live.engine.finish(live.session, live.job)).toEqual(this.#whole(live.job).at(-1));
    }
  }

  #add(live: Live, session: Session): void {
    this.#live.push({ ...live, session });
  }

  #move({ engine, session, job }: Live, most: number, want = this.#wants(1)): void {
    const from = session.steps;
    const steps = Math.min(most, job.T - from);
    if (steps < 1) return;
    const [given = []] = engine.advance([{ session, steps, claimed: this.#claimed(job, from, steps), want }]);
    for (const [i, wanted] of want.entries()) {
      const expected = this.#steps(wanted, this.#whole(job)[i] as Uint8Array, { from, end: from + steps });
      expect(given[i], `stage ${wanted.stage}, fold ${wanted.fold}, from step ${from}`).toEqual(expected);
    }
  }

  /** Begins to move over other columns, which leave nothing behind. */
  #abort({ engine, session, job }: Live, amount: number): void {
    const from = session.steps;
    const steps = Math.min(4, job.T - from);
    if (steps < 1) return;
    const claimed = this.#claimed(job, from, steps).map((bytes) => bytes.map((byte) => byte ^ amount));
    const move = { steps, claimed, want: this.#wants(1) };
    let asked = 0;
    const fork = engine.fork(session);
    engine.advance([{ ...move, session: fork }], { isAborted: () => ++asked < 0 });
    if (asked === 0) return; // there is nothing to compute
    const last = amount % asked;
    asked = 0;
    const aborted = () => engine.advance([{ ...move, session }], { isAborted: () => asked++ === last });
    expect(aborted).toThrow(expect.objectContaining({ code: "machine.aborted" }));
    expect(session.steps).toBe(from);
  }

  #claimed({ claimed }: Job, from: number, steps: number): Uint8Array[] {
    const isGiven = claimedBeforeLast(this.#program);
    return this.#program.claimed.map(({ type }, i) =>
      isGiven[i]
        ? (claimed[i] as Uint8Array).subarray(from * BYTES[type], (from + steps) * BYTES[type])
        : new Uint8Array(),
    );
  }

  #whole(job: Job): Uint8Array[] {
    const known = this.#expected.get(job) ?? (this.#engines[0] as Engine).run({ ...job, want: this.#wants(0) });
    this.#expected.set(job, known);
    return known;
  }

  #wants(butLast: 0 | 1): Want[] {
    const stages = this.#program.stages.slice(0, this.#program.stages.length - butLast);
    return stages.flatMap(({ folds }, stage) => folds.map((_, fold) => ({ stage, fold, steps: "all" as const })));
  }

  /** The bytes of some steps; of a stage with constant steps, all. */
  #steps({ stage, fold }: Want, whole: Uint8Array, { from, end }: { from: number; end: number }): Uint8Array {
    const decl = this.#program.stages[stage] as Program["stages"][number];
    if (!isPerStep(decl)) return whole;
    const { rows, cols, type } = decl.folds[fold] as Program["stages"][number]["folds"][number];
    const before = (step: number) =>
      Array.from({ length: step }, (_, t) => sizeAt(rows, { t, T: 1 }) * sizeAt(cols, { t, T: 1 }) * BYTES[type]);
    const sum = (sizes: number[]) => sizes.reduce((total, bytes) => total + bytes, 0);
    return whole.subarray(sum(before(from)), sum(before(end)));
  }
}

function otherRequest(request: Uint8Array[], amount: number): Uint8Array[] {
  const changed = request.map((bytes) => bytes.slice());
  const tensor = changed[amount % changed.length] as Uint8Array;
  tensor[amount % tensor.length] = amount;
  return changed;
}

function unless(code: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    expect(error).toMatchObject({ code });
  }
}
