import type { Job, Move, Session, TensorBytes, Want } from "./engine.ts";
import { MachineError } from "./errors.ts";
import { BYTES, type Program } from "./program.ts";
import { claimedBeforeLast, differingRequest, type RequestUse, requestBeforeLast } from "./validate/inputUse.ts";
import { stepwiseReasons } from "./validate/stepwise.ts";

/** What a back end checks before it touches a session: the same rules and errors for all of them. */
export type SessionRules = {
  /** @throws `machine.not_stepwise` with the reasons */
  assertStepwise(): void;
  /** @throws `machine.bad_move` */
  checkMoves(moves: readonly Move[]): void;
  /** `session` as it stands: its steps, its request, and the bytes of the claimed columns that it was given. */
  checkFinish(session: { steps: number; request: TensorBytes[]; claimed: TensorBytes[] }, job: Job): void;
};

export function sessionRules(program: Program): SessionRules {
  const reasons = stepwiseReasons(program);
  const isGiven = claimedBeforeLast(program);
  let uses: RequestUse[] | undefined;

  const badMove = (message: string, details: Record<string, unknown>) =>
    new MachineError("machine.bad_move", message, details);

  return {
    assertStepwise: () => {
      const first = reasons[0];
      if (!first) return;
      const message = `This program can only be run whole: stage ${first.stage}, fold ${first.fold} ${first.reason}.`;
      throw new MachineError("machine.not_stepwise", message, { reasons });
    },
    checkMoves: (moves) => {
      const seen = new Set<Session>();
      for (const [move, { session, steps, claimed, want }] of moves.entries()) {
        if (seen.has(session)) throw badMove(`Move ${move}: its session moves twice in one call.`, { move });
        seen.add(session);
        if (!Number.isInteger(steps) || steps < 1 || session.steps + steps > program.maxT)
          throw badMove(`Move ${move}: ${steps} steps after ${session.steps}, maxT is ${program.maxT}.`, {
            move,
            steps,
            taken: session.steps,
          });
        if (claimed.length !== program.claimed.length)
          throw badMove(`Move ${move}: ${claimed.length} claimed tensors, the program has ${program.claimed.length}.`, {
            move,
          });
        for (const [index, { type }] of program.claimed.entries()) {
          const wanted = isGiven[index] ? steps * BYTES[type] : 0;
          const length = claimed[index]?.length;
          if (length !== wanted)
            throw badMove(
              `Move ${move}: claimed tensor ${index} has ${length} bytes, ${wanted} are wanted for ${steps} steps.`,
              { move, index, length, wanted },
            );
        }
        for (const { stage, fold } of want)
          if (stage >= program.stages.length - 1 || !program.stages[stage]?.folds[fold])
            throw badMove(`Move ${move}: stage ${stage}, fold ${fold} is not a fold before the last stage.`, {
              move,
              stage,
              fold,
            });
      }
    },
    checkFinish: (session, job) => {
      if (job.T > session.steps + 1)
        throw new MachineError("machine.step_missing", `T is ${job.T}, the session has taken ${session.steps} steps.`, {
          T: job.T,
          steps: session.steps,
        });
      uses ??= requestBeforeLast(program);
      const differs = differingRequest(program, uses, [session.request, job.request]);
      if (differs) {
        const { request, row, col } = differs;
        const message = `Request tensor ${request} differs at (${row}, ${col}) from the session's, and a stage before the last loads it.`;
        throw new MachineError("machine.request_mismatch", message, differs);
      }
      for (const [index, { type }] of program.claimed.entries()) {
        if (!isGiven[index]) continue;
        const width = BYTES[type];
        const compared = Math.min(job.T, session.steps) * width;
        for (let at = 0; at < compared; at++)
          if (job.claimed[index]?.[at] !== session.claimed[index]?.[at]) {
            const col = Math.floor(at / width);
            const message = `Claimed tensor ${index} differs at column ${col} from what the session was given.`;
            throw new MachineError("machine.claimed_mismatch", message, { claimed: index, col });
          }
      }
    },
  };
}

/** Checks what a whole run asks for. @throws `machine.bad_want` */
export function checkWants(program: Program, wants: readonly Want[]): void {
  for (const { stage, fold } of wants)
    if (!program.stages[stage]?.folds[fold])
      throw new MachineError("machine.bad_want", `There is no fold ${fold} in stage ${stage}.`, { stage, fold });
}
