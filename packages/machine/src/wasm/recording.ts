import type { Job } from "../engine.ts";
import { MachineError } from "../errors.ts";
import { BYTES, type Program, sizeAt } from "../program.ts";
import { isPerStep } from "../validate/stepwise.ts";
import { BLOCK_ROWS, type Row, type Tap } from "./evaluate.ts";
import type { SessionFolds } from "./folds.ts";
import { runLastStage } from "./lastStage.ts";
import type { WasmSession } from "./session.ts";
import { type WholeJobParts, wholeBlocks } from "./wholeJob.ts";

/** What sees a fold's elements, if anything does. */
export type TapOf = (stage: number, fold: number) => Tap | undefined;

/** Steps `from .. end - 1` of a stage. */
export type Steps = { stage: number; from: number; end: number };

/** A job whose every element is computed, block by block, so that a worker can do something else in between. */
export type Recording = {
  /** Steps of stages computed so far, of how many; a stage's step counts once. */
  readonly progress: { taken: number; all: number };
  /** Computes the next block of steps. False once everything was. */
  advance(): boolean;
  /** Shows the steps `from .. end - 1` of a stage once more, in order, to taps by fold. Only when everything was computed. */
  replay(of: Steps, taps: readonly (Tap | undefined)[]): void;
  close(): void;
};

export type SessionRecordingParts = WholeJobParts & {
  storage: SessionFolds;
  isGiven: boolean[];
  openSession(): WasmSession;
};

const tapsOf = (program: Program, tapOf: TapOf): (Tap | undefined)[] =>
  program.stages.flatMap(({ folds }, stage) => folds.map((_, fold) => tapOf(stage, fold)));

/** Taps of one stage that see some of its steps, by the number of the fold among all. */
function tapsOfSteps(first: number, { from, end }: Steps, taps: readonly (Tap | undefined)[]): (Tap | undefined)[] {
  const all: (Tap | undefined)[] = [];
  for (const [fold, tap] of taps.entries())
    if (tap !== undefined)
      all[first + fold] = (bytes, t) => {
        if (t >= from && t < end) tap(bytes, t);
      };
  return all;
}

/** Records a program that is served step by step. What its session keeps makes most replays short. */
export class SessionRecording implements Recording {
  readonly #parts: SessionRecordingParts;
  readonly #job: Job;
  readonly #taps: (Tap | undefined)[];
  readonly #all: Uint8Array;
  #session: WasmSession | undefined;
  #isDone = false;

  constructor(parts: SessionRecordingParts, job: Job, tapOf: TapOf) {
    this.#parts = parts;
    this.#job = job;
    this.#taps = tapsOf(parts.program, tapOf);
    this.#all = new Uint8Array(parts.folds.codes.length).fill(1);
  }

  get progress(): { taken: number; all: number } {
    const { T } = this.#job;
    return { taken: this.#isDone ? T + 1 : (this.#session?.steps ?? 0), all: T + 1 };
  }

  advance(): boolean {
    assertOpen(this.#parts);
    if (this.#isDone) return false;
    if (this.#session === undefined) {
      this.#session = this.#parts.openSession();
      this.#showConstantSteps(this.#session, this.#taps);
    }
    const session = this.#session;
    const end = Math.min(this.#job.T, session.steps + BLOCK_ROWS);
    if (session.steps < end) {
      this.#give(session, end);
      this.#block(session, { from: session.steps, end, needs: this.#all, taps: this.#taps });
      session.steps = end;
      return true;
    }
    this.#lastStage(session, this.#taps);
    this.#isDone = true;
    return false;
  }

  replay(of: Steps, stageTaps: readonly (Tap | undefined)[]): void {
    const { folds, storage } = this.#parts;
    assertOpen(this.#parts);
    const session = this.#session;
    if (session === undefined || !this.#isDone) throw new Error("nothing is replayed before everything was computed");
    const taps = tapsOfSteps(folds.firstOf[of.stage] as number, of, stageTaps);
    const kindOf = (fold: number) => storage.storage[fold]?.kind;
    const tapped = [...taps.keys()].filter((fold) => taps[fold] !== undefined);
    const isOf = (kind: string) => tapped.some((fold) => kindOf(fold) === kind);
    if (isOf("last")) this.#lastStage(session, taps);
    else if (isOf("whole")) this.#showConstantSteps(session, taps);
    else {
      for (const fold of tapped)
        if (kindOf(fold) === "kept") {
          this.#showKept(session, { ...of, fold }, taps[fold] as Tap);
          taps[fold] = undefined;
        }
      const computed = tapped.filter((fold) => taps[fold] !== undefined);
      if (computed.length === 0) return;
      if (storage.storage.some(({ kind }) => kind === "ring")) this.#again(computed, of.end, taps);
      else this.#steps(session, of, { computed, taps });
    }
  }

  close(): void {
    this.#session?.close();
    this.#session = undefined;
  }

  /** Computes steps of folds from what the session keeps. */
  #steps(
    session: WasmSession,
    { from: first, end: last }: Steps,
    { computed, taps }: { computed: number[]; taps: (Tap | undefined)[] },
  ): void {
    const { storage } = this.#parts;
    // what is kept is there already, and a step loads nothing else of other steps
    const isKept = storage.storage.map(({ kind }) => kind === "kept");
    const needs = Uint8Array.from(isKept, Number);
    for (const fold of computed) storage.addNeeds(fold, needs);
    for (const [id, kept] of isKept.entries()) if (kept) needs[id] = 0;
    for (let from = first; from < last; from += BLOCK_ROWS)
      this.#block(session, { from, end: Math.min(last, from + BLOCK_ROWS), needs, taps });
  }

  /** Computes the first steps of folds in a session of its own: loops that keep two steps can only go forward. */
  #again(wanted: number[], steps: number, taps: (Tap | undefined)[]): void {
    const { storage, openSession } = this.#parts;
    const needs = storage.always.slice();
    for (const fold of wanted) storage.addNeeds(fold, needs);
    const session = openSession();
    try {
      while (session.steps < steps) {
        const end = Math.min(steps, session.steps + BLOCK_ROWS);
        this.#give(session, end);
        this.#block(session, { from: session.steps, end, needs, taps });
        session.steps = end;
      }
    } finally {
      session.close();
    }
  }

  #give(session: WasmSession, end: number): void {
    const { program, isGiven } = this.#parts;
    session.give(
      program.claimed.map(({ type }, index) =>
        isGiven[index]
          ? (this.#job.claimed[index] as Uint8Array).subarray(session.steps * BYTES[type], end * BYTES[type])
          : new Uint8Array(0),
      ),
    );
  }

  #block(
    { scene }: WasmSession,
    { from, end, needs, taps }: { from: number; end: number; needs: Uint8Array; taps: (Tap | undefined)[] },
  ): void {
    const rows: Row[] = [];
    for (let t = from; t < end; t++) rows.push({ scene, t, slot: t - from, needs, sinks: [], taps });
    this.#parts.evaluator.block(rows);
  }

  #showKept({ scene }: WasmSession, of: { fold: number; from: number; end: number }, tap: Tap): void {
    for (let t = of.from; t < of.end; t++)
      this.#parts.evaluator.show(of.fold, { scene, t, slot: 0, needs: this.#all, sinks: [] }, tap);
  }

  /** Stages with a constant number of steps were computed when the session opened: step by step, all folds of each. */
  #showConstantSteps(session: WasmSession, taps: (Tap | undefined)[]): void {
    const { program, folds } = this.#parts;
    for (const [stage, decl] of program.stages.slice(0, -1).entries()) {
      if (isPerStep(decl)) continue;
      const end = sizeAt(decl.steps, { t: 0, T: this.#job.T });
      for (let t = 0; t < end; t++)
        for (const of of decl.folds.keys()) {
          const fold = (folds.firstOf[stage] as number) + of;
          const tap = taps[fold];
          if (tap !== undefined) this.#showKept(session, { fold, from: t, end: t + 1 }, tap);
        }
    }
  }

  #lastStage({ scene }: WasmSession, taps: (Tap | undefined)[]): void {
    if (runLastStage(this.#parts, scene, { job: this.#job, wants: [], taps }) === undefined)
      throw new Error("the last stage loads a step that was not taken"); // all steps were, and loads are clamped to them
  }
}

/** Records a program that is run whole. A replay is another run of what the fold needs. */
export class WholeRecording implements Recording {
  readonly #parts: WholeJobParts;
  readonly #job: Job;
  readonly #blocks: Generator<number>;
  readonly progress: { taken: number; all: number };

  constructor(parts: WholeJobParts, job: Job, tapOf: TapOf) {
    const { program, folds } = parts;
    this.#parts = parts;
    this.#job = job;
    const wanted = [...folds.codes.keys()];
    this.#blocks = wholeBlocks(parts, job, { wanted, taps: tapsOf(program, tapOf) });
    const all = program.stages.reduce((sum, { steps }) => sum + sizeAt(steps, { t: 0, T: job.T }), 0);
    this.progress = { taken: 0, all };
  }

  advance(): boolean {
    assertOpen(this.#parts);
    const { done, value } = this.#blocks.next();
    if (!done) this.progress.taken += value;
    return done !== true;
  }

  replay(of: Steps, stageTaps: readonly (Tap | undefined)[]): void {
    assertOpen(this.#parts);
    const taps = tapsOfSteps(this.#parts.folds.firstOf[of.stage] as number, of, stageTaps);
    const wanted = [...taps.keys()].filter((fold) => taps[fold] !== undefined);
    for (const _ of wholeBlocks(this.#parts, this.#job, { wanted, taps }));
  }

  close(): void {
    this.#blocks.return(undefined);
  }
}

/** @throws `machine.closed` */
function assertOpen({ arena }: WholeJobParts): void {
  if (arena.isClosed) throw new MachineError("machine.closed", "The engine is closed.");
}
