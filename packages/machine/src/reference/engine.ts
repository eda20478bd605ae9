import { concatBytes } from "../bytes.ts";
import { elementBytes, readElement } from "../elements.ts";
import type {
  CallOptions,
  Engine,
  ForkOptions,
  Job,
  Move,
  MoveResult,
  OpenEngine,
  RoomOptions,
  Session,
  TensorBytes,
  Want,
} from "../engine.ts";
import { MachineError } from "../errors.ts";
import type { Interval } from "../intervals.ts";
import { checkJob, checkRequest, loadConstants } from "../job.ts";
import { BYTES, type Program, sizeAt } from "../program.ts";
import { checkWants, type SessionRules, sessionRules } from "../session.ts";
import { type KeptSteps, type SnapshotFormat, snapshotFormat, watchConstants } from "../snapshot.ts";
import { foldIntervals } from "../validate/foldIntervals.ts";
import { foldNumbers, sessionNeeds } from "../validate/keeping.ts";
import { isPerStep } from "../validate/stepwise.ts";
import { assertWellFormed } from "../validate/wellFormed.ts";
import { Evaluation } from "./evaluation.ts";

/** What a matrix and an element take in memory, about: an entry of a map, and a BigInt with the pointer to it. */
const MATRIX_BYTES = 200;
const ELEMENT_BYTES = 32;

/** Opens the engine that defines the others: BigInt, one element at a time, for small programs and single elements. */
export const openReference: OpenEngine = async (program, constants) => {
  assertWellFormed(program);
  const { source, identity } = watchConstants(program, constants);
  return new ReferenceEngine(program, loadConstants(program, source), identity);
};

class ReferenceSession implements Session {
  readonly evaluation: Evaluation;
  isClosed = false;
  constructor(evaluation: Evaluation) {
    this.evaluation = evaluation;
  }
  get steps(): number {
    return this.evaluation.inputs.T;
  }
  close(): void {
    this.isClosed = true;
  }
}

class ReferenceEngine implements Engine {
  readonly backend = "reference";
  readonly program: Program;
  readonly #constant: (index: number) => TensorBytes;
  readonly #rules: SessionRules;
  readonly #identity: () => Uint8Array;
  #snapshotFormat: SnapshotFormat | undefined;

  constructor(program: Program, constants: TensorBytes[], identity: () => Uint8Array) {
    this.program = program;
    this.#constant = (index) => constants[index] ?? new Uint8Array(0);
    this.#rules = sessionRules(program);
    this.#identity = identity;
  }

  open({ request }: { request: TensorBytes[] }, options: RoomOptions = {}): Session {
    this.#rules.assertStepwise();
    checkRequest(this.program, request);
    this.#rules.checkRoom(options);
    const claimed = this.program.claimed.map(() => new Uint8Array(0));
    return new ReferenceSession(new Evaluation(this.program, { T: 0, request, claimed, constant: this.#constant }));
  }

  fork(session: Session, { steps = session.steps, ...options }: ForkOptions = {}): Session {
    const { evaluation } = own(session);
    this.#rules.checkFork({ ...evaluation.inputs, steps: session.steps }, { steps, ...options });
    this.#rules.checkRoom(options);
    const { request, claimed, constant } = evaluation.inputs;
    const given = claimed.map((bytes, i) => bytes.slice(0, this.#givenBytes(i, steps)));
    return new ReferenceSession(
      evaluation.fork({ T: steps, request: options.request ?? request, claimed: given, constant }),
    );
  }

  snapshot(session: Session): Uint8Array {
    const { evaluation } = own(session);
    const { T: steps, request, claimed } = evaluation.inputs;
    const { keeping, always } = sessionNeeds(this.program);
    // what is not told is computed when it is asked for
    const isRecorded = (fold: number) => keeping[fold] === "every" && !always[fold];
    const computed = new Map(keeping.flatMap((_, fold) => (isRecorded(fold) ? [[fold, new Uint8Array(steps)]] : [])));
    return this.#snapshots().write({ steps, request, claimed, computed }, (kept) => {
      kept.bytes.set(this.#keptBytes(evaluation, kept));
    });
  }

  restore(snapshot: Uint8Array, options: RoomOptions = {}): Session {
    this.#rules.assertStepwise();
    this.#rules.checkRoom(options);
    const { steps, request, claimed, kept } = this.#snapshots().read(snapshot);
    const evaluation = new Evaluation(this.program, { T: steps, request, claimed, constant: this.#constant });
    for (const section of kept) this.#give(evaluation, section);
    return new ReferenceSession(evaluation);
  }

  /** All elements of all steps, as BigInts in arrays. */
  sessionBytes(steps: number): number {
    let bytes = 0;
    for (const stage of this.program.stages)
      for (let t = 0; t < sizeAt(stage.steps, { t: 0, T: steps }); t++)
        for (const { rows, cols } of stage.folds)
          bytes += MATRIX_BYTES + sizeAt(rows, { t, T: steps }) * sizeAt(cols, { t, T: steps }) * ELEMENT_BYTES;
    return bytes;
  }

  advance(moves: Move[], { isAborted }: CallOptions = {}): MoveResult[] {
    const evaluations = moves.map(({ session }) => own(session).evaluation);
    this.#rules.checkMoves(moves);
    const before = evaluations.map(({ inputs }) => inputs);
    try {
      return moves.map(({ steps, claimed, want }, i) => {
        const evaluation = evaluations[i] as Evaluation;
        const { inputs } = evaluation;
        evaluation.isAborted = isAborted;
        evaluation.inputs = {
          ...inputs,
          T: inputs.T + steps,
          claimed: inputs.claimed.map((taken, index) => concatBytes([taken, claimed[index] ?? new Uint8Array(0)])),
        };
        return want.map((wanted) => this.#wanted(evaluation, wanted, inputs.T));
      });
    } catch (error) {
      for (const [i, evaluation] of evaluations.entries()) {
        evaluation.inputs = before[i] as Evaluation["inputs"];
        evaluation.forget(evaluation.inputs.T);
      }
      throw error;
    } finally {
      for (const evaluation of evaluations) evaluation.isAborted = undefined;
    }
  }

  finish(session: Session, job: Job, { isAborted }: CallOptions = {}): TensorBytes {
    const { evaluation } = own(session);
    checkJob(this.program, job);
    this.#rules.checkFinish({ ...evaluation.inputs, steps: session.steps }, job);
    const { T, request, claimed } = job;
    const inputs = { T, request, claimed, constant: this.#constant };
    const last = new Evaluation(this.program, inputs, (stage, fold, t) => {
      const loaded = this.program.stages[stage];
      if (loaded && isPerStep(loaded) && t >= session.steps)
        throw new MachineError(
          "machine.step_missing",
          `The last stage loads step ${t} of stage ${stage}, ${session.steps} were taken.`,
          {
            stage,
            fold,
            step: t,
            steps: session.steps,
          },
        );
      return evaluation.matrix(stage, fold, t);
    });
    last.isAborted = isAborted;
    const stage = this.program.stages.length - 1;
    return concatBytes(
      this.program.stages[stage]?.folds.map((_, fold) => this.#wanted(last, { stage, fold, steps: "all" }, 0)) ?? [],
    );
  }

  run({ want, ...job }: Job & { want: Want[] }, { isAborted }: CallOptions = {}): MoveResult {
    checkJob(this.program, job);
    checkWants(this.program, want);
    const evaluation = new Evaluation(this.program, { ...job, constant: this.#constant });
    evaluation.isAborted = isAborted;
    return want.map((wanted) => this.#wanted(evaluation, wanted, 0));
  }

  checkKernels(): void {}

  close(): void {}

  #snapshots(): SnapshotFormat {
    if (this.#snapshotFormat === undefined) {
      const stored = foldIntervals(this.program).flatMap((ofStage) => ofStage.map((fold) => fold.stored));
      this.#snapshotFormat = snapshotFormat(this.program, {
        needs: sessionNeeds(this.program),
        identity: this.#identity,
        rangeOf: (fold) => stored[fold] as Interval,
      });
    }
    return this.#snapshotFormat;
  }

  /** Bytes of the first columns of a claimed tensor, where sessions are given any. */
  #givenBytes(claimed: number, steps: number): number {
    const decl = this.program.claimed[claimed];
    return decl === undefined ? 0 : steps * BYTES[decl.type];
  }

  #keptBytes(evaluation: Evaluation, { fold: number, from, end }: KeptSteps): Uint8Array {
    const { stage, fold, order } = this.#foldOf(number);
    const steps = Array.from({ length: end - from }, (_, i) => evaluation.matrix(stage, fold, from + i));
    const elements =
      order === 1 ? (steps[0] ?? []).flatMap((_, e) => steps.map((values) => values[e] as bigint)) : steps.flat();
    return elementBytes(this.program.stages[stage]?.folds[fold]?.type ?? "i64", elements);
  }

  #give(evaluation: Evaluation, { fold: number, from, end, bytes }: KeptSteps): void {
    const { stage, fold, order } = this.#foldOf(number);
    const type = this.program.stages[stage]?.folds[fold]?.type ?? "i64";
    let at = 0;
    for (let t = from; t < end; t++) {
      const { rows, cols } = evaluation.shape(stage, fold, t);
      const element = (e: number) => (order === 1 ? e * (end - from) + t - from : at + e);
      evaluation.give(
        { stage, fold, t },
        Array.from({ length: rows * cols }, (_, e) => readElement(type, bytes, element(e))),
      );
      at += rows * cols;
    }
  }

  #foldOf(number: number): { stage: number; fold: number; order: 0 | 1 | 2 } {
    const { stageOf, firstOf } = foldNumbers(this.program);
    const stage = stageOf[number] as number;
    return { stage, fold: number - (firstOf[stage] as number), order: this.program.stages[stage]?.order ?? 0 };
  }

  /** The wanted elements; of stages with one step for each of the job's, those from step `before` on. */
  #wanted(evaluation: Evaluation, { stage, fold, steps }: Want, before: number): TensorBytes {
    const decl = this.program.stages[stage];
    const end = evaluation.steps(stage);
    const from = steps === "last" ? end - 1 : decl && isPerStep(decl) ? before : 0;
    return concatBytes(Array.from({ length: end - from }, (_, i) => evaluation.bytes(stage, fold, from + i)));
  }
}

function own(session: Session): ReferenceSession {
  if (!(session instanceof ReferenceSession) || session.isClosed)
    throw new MachineError("machine.bad_session", "The session is closed or belongs to another engine.");
  return session;
}
