import type { Engine, Job, Move, MoveResult, OpenEngine, Session, TensorBytes, Want } from "../engine.ts";
import { MachineError } from "../errors.ts";
import { checkJob, checkRequest, loadConstants } from "../job.ts";
import type { Program } from "../program.ts";
import { checkWants, type SessionRules, sessionRules } from "../session.ts";
import { isPerStep } from "../validate/stepwise.ts";
import { assertWellFormed } from "../validate/wellFormed.ts";
import { Evaluation } from "./evaluation.ts";

/** Opens the engine that defines the others: BigInt, one element at a time, for small programs and single elements. */
export const openReference: OpenEngine = async (program, constants) => {
  assertWellFormed(program);
  return new ReferenceEngine(program, loadConstants(program, constants));
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

  constructor(program: Program, constants: TensorBytes[]) {
    this.program = program;
    this.#constant = (index) => constants[index] ?? new Uint8Array(0);
    this.#rules = sessionRules(program);
  }

  open({ request }: { request: TensorBytes[] }): Session {
    this.#rules.assertStepwise();
    checkRequest(this.program, request);
    const claimed = this.program.claimed.map(() => new Uint8Array(0));
    return new ReferenceSession(new Evaluation(this.program, { T: 0, request, claimed, constant: this.#constant }));
  }

  advance(moves: Move[]): MoveResult[] {
    const sessions = moves.map(({ session }) => own(session));
    this.#rules.checkMoves(moves);
    return moves.map(({ steps, claimed, want }, i) => {
      const evaluation = sessions[i]?.evaluation;
      if (!evaluation) throw new RangeError(`Move ${i} has no session.`);
      const { inputs } = evaluation;
      const before = inputs.T;
      evaluation.inputs = {
        ...inputs,
        T: before + steps,
        claimed: inputs.claimed.map((taken, index) => concat([taken, claimed[index] ?? new Uint8Array(0)])),
      };
      return want.map((wanted) => this.#wanted(evaluation, wanted, before));
    });
  }

  finish(session: Session, job: Job): TensorBytes {
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
    const stage = this.program.stages.length - 1;
    return concat(
      this.program.stages[stage]?.folds.map((_, fold) => this.#wanted(last, { stage, fold, steps: "all" }, 0)) ?? [],
    );
  }

  run({ want, ...job }: Job & { want: Want[] }): MoveResult {
    checkJob(this.program, job);
    checkWants(this.program, want);
    const evaluation = new Evaluation(this.program, { ...job, constant: this.#constant });
    return want.map((wanted) => this.#wanted(evaluation, wanted, 0));
  }

  close(): void {}

  /** The wanted elements; of stages with one step for each of the job's, those from step `before` on. */
  #wanted(evaluation: Evaluation, { stage, fold, steps }: Want, before: number): TensorBytes {
    const decl = this.program.stages[stage];
    const end = evaluation.steps(stage);
    const from = steps === "last" ? end - 1 : decl && isPerStep(decl) ? before : 0;
    return concat(Array.from({ length: end - from }, (_, i) => evaluation.bytes(stage, fold, from + i)));
  }
}

function own(session: Session): ReferenceSession {
  if (!(session instanceof ReferenceSession) || session.isClosed)
    throw new MachineError("machine.bad_session", "The session is closed or belongs to another engine.");
  return session;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
