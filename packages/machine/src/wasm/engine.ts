import { concatBytes } from "../bytes.ts";
import type {
  CallOptions,
  Engine,
  ForkOptions,
  Job,
  Move,
  MoveResult,
  RoomOptions,
  Session,
  TensorBytes,
  Want,
} from "../engine.ts";
import { MachineError } from "../errors.ts";
import { checkJob, checkRequest } from "../job.ts";
import { BYTES, type Program, size, sizeAt } from "../program.ts";
import { checkWants, type SessionRules, sessionRules } from "../session.ts";
import { type SnapshotFormat, snapshotFormat } from "../snapshot.ts";
import { claimedBeforeLast } from "../validate/inputUse.ts";
import { isPerStep } from "../validate/stepwise.ts";
import { BlockBuffers } from "./buffers.ts";
import type { CompiledFold } from "./compile.ts";
import { BLOCK_ROWS } from "./evaluate.ts";
import { type Explanation, explainFold, type ProfiledFold } from "./explain.ts";
import { type SessionFolds, sessionFolds } from "./folds.ts";
import type { KernelFamily } from "./kernelFamily.ts";
import { mismatches } from "./knownAnswers/index.ts";
import type { KnownAnswer } from "./knownAnswers/knownAnswer.ts";
import { lastStageBytes, runLastStage } from "./lastStage.ts";
import { blockBytes } from "./memory.ts";
import { type Place, slotShapeOf } from "./places.ts";
import { type Recording, SessionRecording, type TapOf, WholeRecording } from "./recording.ts";
import { WasmSession } from "./session.ts";
import { SessionBlocks } from "./sessionBlocks.ts";
import { capacityFor, type SessionShape, sessionLayout } from "./sessionLayout.ts";
import type { FoldCode } from "./sites.ts";
import type { Crew } from "./threads/crew.ts";
import { runStage, runWhole, type WholeJobParts } from "./wholeJob.ts";

export type WasmEngine = Engine & {
  /** Engine memory in use. */
  readonly usedBytes: number;
  /** What sessions may still take, once the buffers are there that all of them share. */
  readonly freeBytes: number;
  /** Kernels that this engine does without: those it was told, and those whose known answers were wrong when it opened. */
  readonly without: ReadonlySet<KernelFamily>;
  /** How each fold is computed, in the order of the program. */
  explain(): Explanation[];
  /** `explain` with the time that each fold takes while `work` uses this engine. Measuring costs a few percent. */
  profile(work: () => void): ProfiledFold[];
  /** Computes every element of a job, and shows those that are tapped. */
  record(job: Job, tapOf: TapOf): Recording;
};

/** What a compiled program is, besides what runs it. */
export type CompiledParts = {
  compiled: CompiledFold[];
  stepwise: boolean;
  without: ReadonlySet<KernelFamily>;
  answers: readonly KnownAnswer[];
  identity: () => Uint8Array;
  crew: Crew | undefined;
};

export class CompiledEngine implements WasmEngine {
  readonly backend = "wasm";
  readonly without: ReadonlySet<KernelFamily>;
  readonly program: Program;
  readonly #parts: WholeJobParts;
  readonly #compiled: CompiledFold[];
  readonly #answers: readonly KnownAnswer[];
  readonly #crew: Crew | undefined;
  readonly #rules: SessionRules;
  readonly #isGiven: boolean[];
  readonly #session: SessionFolds;
  readonly #buffers: BlockBuffers;
  readonly #stepwise: boolean;
  readonly #snapshots: SnapshotFormat;
  #isBusy = false;
  readonly #blocks: SessionBlocks;
  /** Folds of loops, whose steps before the first are zeros; and the most steps of a stage that takes a constant number. */
  readonly #loops: FoldCode[];
  readonly #constantSteps: number;

  constructor(parts: WholeJobParts, { compiled, stepwise, without, answers, identity, crew }: CompiledParts) {
    const { program, folds, arena, evaluator } = parts;
    this.program = program;
    this.#parts = parts;
    this.#compiled = compiled;
    this.without = without;
    this.#answers = answers;
    this.#crew = crew;
    this.#stepwise = stepwise;
    this.#rules = sessionRules(program);
    this.#isGiven = claimedBeforeLast(program);
    this.#session = sessionFolds(program, BLOCK_ROWS);
    this.#blocks = new SessionBlocks(parts, this.#session);
    const rangeOf = (fold: number) => (compiled[fold] as CompiledFold).range;
    this.#snapshots = snapshotFormat(program, { needs: this.#session, identity, rangeOf });
    this.#loops = folds.codes.filter(({ order }) => order === 2);
    this.#constantSteps = Math.max(
      1,
      ...program.stages.map(({ steps }) => (size.kind(steps) === 0 ? size.n(steps) : 1)),
    );
    const place = (places: (Place | undefined)[]) => evaluator.settle(places);
    const segments = { segmentOf: evaluator.segmentOf(), lanes: crew?.lanes ?? 1 };
    this.#buffers = new BlockBuffers({ arena, folds, session: this.#session, ...segments, place });
  }

  get usedBytes(): number {
    return this.#parts.arena.usedBytes;
  }

  get freeBytes(): number {
    return this.#parts.arena.freeBytes;
  }

  sessionBytes(steps: number): number {
    return blockBytes(sessionLayout(this.#sessionShape(), capacityFor(steps, this.program)).bytes);
  }

  checkKernels(): void {
    this.#assertReady();
    for (const [family, error] of mismatches(this.#answers)) if (!this.without.has(family)) throw error;
  }

  explain(): Explanation[] {
    return this.#compiled.map(explainFold);
  }

  profile(work: () => void): ProfiledFold[] {
    const { evaluator } = this.#parts;
    const spent = new Float64Array(this.#compiled.length);
    evaluator.spent = spent;
    try {
      work();
    } finally {
      evaluator.spent = undefined;
    }
    return this.explain().map((explanation, at) => ({ ...explanation, milliseconds: spent[at] as number }));
  }

  open({ request }: { request: TensorBytes[] }, options: RoomOptions = {}): Session {
    this.#assertReady();
    this.#rules.assertStepwise();
    checkRequest(this.program, request);
    this.#rules.checkRoom(options);
    return this.#openSession(request, options);
  }

  fork(session: Session, { steps = session.steps, ...options }: ForkOptions = {}): Session {
    this.#assertReady();
    this.#assertOwn(session);
    const without = this.#rules.checkFork(session, { steps, ...options });
    this.#rules.checkRoom(options);
    const { request = session.request } = options;
    return this.#placed(request, { reserveSteps: options.reserveSteps ?? 0, steps }, (fork) => {
      fork.copy(session, steps, without);
    });
  }

  snapshot(session: Session): Uint8Array {
    this.#assertReady();
    this.#assertOwn(session);
    return this.#snapshots.write(session.state(), (kept) => session.read(kept));
  }

  restore(snapshot: Uint8Array, { reserveSteps = 0 }: RoomOptions = {}): Session {
    this.#assertReady();
    this.#rules.assertStepwise();
    this.#rules.checkRoom({ reserveSteps });
    const state = this.#snapshots.read(snapshot);
    const { request, steps } = state;
    return this.#placed(request, { reserveSteps, steps }, (session) => {
      this.#computeWhole(session);
      session.restore(state);
    });
  }

  advance(moves: Move[], options: CallOptions = {}): MoveResult[] {
    this.#assertReady();
    for (const { session } of moves) this.#assertOwn(session);
    this.#rules.checkMoves(moves);
    return this.#during(options, () => this.#move(moves, []));
  }

  finish(session: Session, job: Job, options: CallOptions = {}): TensorBytes {
    this.#assertReady();
    this.#assertOwn(session);
    checkJob(this.program, job);
    this.#rules.checkFinish({ steps: session.steps, request: session.request, claimed: session.given() }, job);
    const stage = this.program.stages.length - 1;
    const wants = this.#folds(stage).map((fold): Want => ({ stage, fold, steps: "all" }));
    return this.#during(options, () => concatBytes(this.#lastStage(session, job, wants)));
  }

  run({ want, ...job }: Job & { want: Want[] }, options: CallOptions = {}): MoveResult {
    this.#assertReady();
    checkJob(this.program, job);
    checkWants(this.program, want);
    this.#reserve(Math.min(job.T, BLOCK_ROWS), job.T);
    return this.#during(options, () =>
      this.#stepwise ? this.#runStepwise(job, want) : runWhole(this.#parts, { ...job, want }),
    );
  }

  record(job: Job, tapOf: TapOf): Recording {
    this.#assertReady();
    checkJob(this.program, job);
    if (!this.#stepwise) {
      this.#reserve(Math.min(job.T, BLOCK_ROWS), job.T);
      return new WholeRecording(this.#parts, job, tapOf);
    }
    const openSession = () => this.#openSession(job.request, { reserveSteps: job.T });
    const parts = { ...this.#parts, storage: this.#session, isGiven: this.#isGiven, openSession };
    return new SessionRecording(parts, job, tapOf);
  }

  close(): void {
    this.#crew?.close();
    this.#parts.arena.close();
  }

  #runStepwise(job: Job, want: Want[]): MoveResult {
    const session = this.#openSession(job.request, { reserveSteps: job.T });
    try {
      const last = this.program.stages.length - 1;
      const earlier = want.filter(({ stage }) => stage < last);
      const final = want.filter(({ stage }) => stage === last);
      const claimed = job.claimed.map((bytes, index) => (this.#isGiven[index] ? bytes : new Uint8Array(0)));
      const recorded = final.length === 0 ? [] : this.#recorded();
      const [results = []] = this.#move([{ session, steps: job.T, claimed, want: earlier }], recorded);
      const finals = final.length === 0 ? [] : this.#lastStage(session, job, final);
      return want.map(
        (wanted) =>
          (wanted.stage < last ? results[earlier.indexOf(wanted)] : finals[final.indexOf(wanted)]) as Uint8Array,
      );
    } finally {
      session.close();
    }
  }

  /** @throws `machine.closed`, and `machine.busy` inside of another call */
  #assertReady(): void {
    if (this.#parts.arena.isClosed) throw new MachineError("machine.closed", "The engine is closed.");
    if (this.#isBusy) throw new MachineError("machine.busy", "The engine is asked while it computes something else.");
  }

  /** Computes with the engine to itself, until it is aborted. */
  #during<T>({ isAborted }: CallOptions, work: () => T): T {
    const { evaluator } = this.#parts;
    this.#isBusy = true;
    evaluator.isAborted = isAborted;
    try {
      return work();
    } finally {
      evaluator.isAborted = undefined;
      this.#isBusy = false;
    }
  }

  /** @throws `machine.bad_session` */
  #assertOwn(session: Session): asserts session is WasmSession {
    if (!(session instanceof WasmSession) || session.isClosed || session.arena !== this.#parts.arena)
      throw new MachineError("machine.bad_session", "The session is closed or belongs to another engine.");
  }

  #folds(stage: number): number[] {
    return [...(this.program.stages[stage]?.folds.keys() ?? [])];
  }

  #sessionShape(): SessionShape {
    const { program, folds } = this.#parts;
    return { program, folds, storage: this.#session, isGiven: this.#isGiven };
  }

  #openSession(request: TensorBytes[], { reserveSteps = 0 }: RoomOptions): WasmSession {
    return this.#placed(request, { reserveSteps, steps: 0 }, (session) => this.#computeWhole(session));
  }

  /** A session with room for `steps` steps, and for all that it needs when it takes `reserveSteps`. */
  #placed(
    request: TensorBytes[],
    { reserveSteps, steps }: { reserveSteps: number; steps: number },
    fill: (session: WasmSession) => void,
  ): WasmSession {
    const session = new WasmSession(this.#parts.arena, this.#sessionShape(), { request, reserveSteps });
    try {
      session.reserve(steps);
      if (reserveSteps === 0) this.#reserve(1, 1);
      else {
        this.#reserve(BLOCK_ROWS, session.capacity);
        this.#parts.lastStage.fit(lastStageBytes(this.#parts, session.capacity));
      }
      fill(session);
      return session;
    } catch (error) {
      session.close();
      throw error;
    }
  }

  /** Stages with a constant number of steps are computed once for a session. */
  #computeWhole({ scene }: WasmSession): void {
    const needs = new Uint8Array(this.#parts.folds.codes.length).fill(1);
    for (const [stage, decl] of this.program.stages.slice(0, -1).entries())
      if (!isPerStep(decl)) runStage(this.#parts, stage, scene, { needs, sinksAt: () => [] });
  }

  /** Room for blocks of so many rows, and for strides of so long histories. @throws `machine.out_of_memory` */
  #reserve(rows: number, history: number): void {
    const { program, evaluator } = this.#parts;
    const [blockRows, longest] = [rows === 1 ? 1 : rows <= 8 ? 8 : BLOCK_ROWS, powerOfTwo(history, program.maxT)];
    const steps = Math.max(longest, this.#constantSteps);
    const previousBytes = Math.max(0, ...this.#loops.map((code) => loopStepBytes(code, steps)));
    evaluator.reserve(this.#constantSteps > 1 ? BLOCK_ROWS : blockRows, previousBytes);
    if (!this.#stepwise) return;
    this.#buffers.fit(blockRows, longest);
  }

  /** `also`: folds to compute at every step besides what is wanted. */
  #move(moves: Move[], also: number[]): MoveResult[] {
    const sessions = moves.map(({ session }) => session as WasmSession);
    const ends = moves.map(({ session, steps }) => session.steps + steps);
    const total = moves.reduce((sum, { steps }) => sum + steps, 0);
    for (const [at, session] of sessions.entries()) session.reserve(ends[at] as number);
    this.#reserve(Math.min(total, BLOCK_ROWS), Math.max(1, ...sessions.map(({ capacity }) => capacity)));

    const marks = sessions.map((session) => session.mark());
    try {
      const results = this.#blocks.compute(moves, also);
      for (const [at, session] of sessions.entries()) session.steps = ends[at] as number;
      return results;
    } catch (error) {
      for (const [at, session] of sessions.entries()) session.undo(marks[at] as ReturnType<WasmSession["mark"]>);
      throw error;
    }
  }

  /** @throws `machine.step_missing` where the last stage loads a step that was not taken */
  #lastStage(session: WasmSession, job: Job, wants: Want[]): MoveResult {
    const { T } = job;
    const stage = this.program.stages.length - 1;
    const steps = sizeAt(this.program.stages[stage]?.steps ?? 1, { t: 0, T });
    this.#reserve(Math.min(steps, BLOCK_ROWS), T);
    session.reserve(T);
    const results =
      runLastStage(this.#parts, session.scene, { job, wants }) ??
      this.#withAllSteps(session, ({ scene }) => runLastStage(this.#parts, scene, { job, wants }));
    if (results !== undefined) return results;
    const message = "The last stage loads a step that the session has not taken.";
    throw new MachineError("machine.step_missing", message, { T, steps: session.steps });
  }

  /**
   * What the last stage loads is computed only at steps where it is wanted. Where it is asked about others, they are computed
   * from what the session keeps; if loops keep their last step only, by another session that takes all steps once more.
   */
  #withAllSteps<T>(session: WasmSession, judge: (session: WasmSession) => T): T | undefined {
    if (session.steps === 0) return undefined;
    if (!this.#session.keeping.includes("before")) {
      this.#computeRecorded(session);
      return judge(session);
    }
    const again = this.#openSession(session.request, { reserveSteps: session.steps });
    try {
      this.#move([{ session: again, steps: session.steps, claimed: session.given(), want: [] }], this.#recorded());
      return judge(again);
    } finally {
      again.close();
    }
  }

  /** Computes what the last stage loads at the steps where nobody has wanted it. */
  #computeRecorded({ scene, steps }: WasmSession): void {
    const { arena, evaluator } = this.#parts;
    const { always, storage, addNeeds } = this.#session;
    // what every step has computed and every session keeps is there
    const needs = Uint8Array.from(storage, ({ kind }, fold) => (kind === "kept" ? (always[fold] as number) : 0));
    const isThere = needs.slice();
    for (const fold of this.#recorded()) addNeeds(fold, needs);
    for (const fold of needs.keys()) if (isThere[fold]) needs[fold] = 0;
    const presences = this.#recorded().map((fold) => scene.places[fold]?.presence as number);
    const isMissing = (t: number) => presences.some((presence) => arena.bytes[presence + t] === 0);
    const missing = Array.from({ length: steps }, (_, t) => t).filter(isMissing);
    this.#reserve(Math.min(missing.length, BLOCK_ROWS), steps);
    for (let at = 0; at < missing.length; at += BLOCK_ROWS)
      evaluator.block(missing.slice(at, at + BLOCK_ROWS).map((t, slot) => ({ scene, t, slot, needs, sinks: [] })));
  }

  /** The folds that the last stage loads. */
  #recorded(): number[] {
    return [...this.#session.recorded.keys()].filter((id) => this.#session.recorded[id]);
  }
}

/** Bytes of one step of a fold in a job of so many steps, at most. */
function loopStepBytes(code: FoldCode, history: number): number {
  const { decl } = code;
  const fixed = {
    ...decl,
    rows: size.kind(decl.rows) === 1 ? history : decl.rows,
    cols: size.kind(decl.cols) === 1 ? history : decl.cols,
  };
  return slotShapeOf({ ...code, decl: fixed }, history).bytes + 64 + BYTES[decl.type];
}

const powerOfTwo = (atLeast: number, most: number): number => {
  let power = 64;
  while (power < atLeast) power *= 2;
  return Math.max(atLeast, Math.min(power, most));
};
