import type { ForkOptions, Job, Move, RoomOptions, Session, TensorBytes, Want } from "./engine.ts";
import { MachineError } from "./errors.ts";
import { checkRequest } from "./job.ts";
import { BYTES, type Program } from "./program.ts";
import { claimedBeforeLast, differingRequest, type RequestUse, requestBeforeLast } from "./validate/inputUse.ts";
import { sessionNeeds } from "./validate/keeping.ts";
import { stepwiseReasons } from "./validate/stepwise.ts";

/** What a back end checks before it touches a session: the same rules and errors for all of them. */
export type SessionRules = {
  /** @throws `machine.not_stepwise` with the reasons */
  assertStepwise(): void;
  /** @throws `machine.bad_move` */
  checkMoves(moves: readonly Move[]): void;
  /** @throws `machine.bad_steps` for room of a number of steps that there cannot be */
  checkRoom(options: RoomOptions): void;
  /**
   * Checks a fork, and says which kept folds have other elements under another request. Those are folds that the last stage
   * alone loads, so a fork is without them as long as they are not computed anew.
   * @throws `machine.bad_steps`, `machine.bad_job`, `machine.request_mismatch`, `machine.step_missing`
   */
  checkFork(session: { steps: number; request: TensorBytes[] }, options: ForkOptions): number[];
  /** `session` as it stands: its steps, its request, and the bytes of the claimed columns that it was given. */
  checkFinish(session: { steps: number; request: TensorBytes[]; claimed: TensorBytes[] }, job: Job): void;
};

export function sessionRules(program: Program): SessionRules {
  const reasons = stepwiseReasons(program);
  const isGiven = claimedBeforeLast(program);
  const lazily = { uses: once(() => requestBeforeLast(program)), needs: once(() => sessionNeeds(program)) };

  const badMove = (message: string, details: Record<string, unknown>) =>
    new MachineError("machine.bad_move", message, details);

  const badSteps = (message: string, details: Record<string, unknown>) =>
    new MachineError("machine.bad_steps", message, details);

  const refuseDifference = (uses: RequestUse[], requests: [TensorBytes[], TensorBytes[]], because: string) => {
    const differs = differingRequest(program, uses, requests);
    if (!differs) return;
    const { request, row, col } = differs;
    const message = `Request tensor ${request} differs at (${row}, ${col}) from the session's, and ${because}.`;
    throw new MachineError("machine.request_mismatch", message, differs);
  };

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
    checkRoom: ({ reserveSteps = 0 }) => {
      if (Number.isInteger(reserveSteps) && reserveSteps >= 0 && reserveSteps <= program.maxT) return;
      const message = `There is no room for ${reserveSteps} steps, maxT is ${program.maxT}.`;
      throw badSteps(message, { reserveSteps, maxT: program.maxT });
    },
    checkFork: (session, { steps = session.steps, request }) => {
      if (!Number.isInteger(steps) || steps < 0 || steps > session.steps)
        throw badSteps(`A session that has taken ${session.steps} steps has no step ${steps}.`, {
          steps,
          taken: session.steps,
        });
      const { keeping, always, recorded, addNeeds } = lazily.needs();
      if (steps > 0 && steps < session.steps && keeping.includes("before"))
        throw new MachineError("machine.step_missing", `Step ${steps} of ${session.steps} is no longer kept.`, {
          steps,
          taken: session.steps,
        });
      if (!request) return [];
      checkRequest(program, request);
      const carried = lazily.uses().filter(({ fold }) => always[fold] || keeping[fold] === "whole");
      refuseDifference(carried, [session.request, request], "what is kept depends on it");
      return [...recorded.keys()].filter((fold) => {
        if (!recorded[fold]) return false;
        const needs = new Uint8Array(keeping.length);
        addNeeds(fold, needs);
        const own = lazily.uses().filter((use) => needs[use.fold]);
        return differingRequest(program, own, [session.request, request]) !== undefined;
      });
    },
    checkFinish: (session, job) => {
      if (job.T > session.steps + 1)
        throw new MachineError("machine.step_missing", `T is ${job.T}, the session has taken ${session.steps} steps.`, {
          T: job.T,
          steps: session.steps,
        });
      refuseDifference(lazily.uses(), [session.request, job.request], "a stage before the last loads it");
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

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

/** Checks what a whole run asks for. @throws `machine.bad_want` */
export function checkWants(program: Program, wants: readonly Want[]): void {
  for (const { stage, fold } of wants)
    if (!program.stages[stage]?.folds[fold])
      throw new MachineError("machine.bad_want", `There is no fold ${fold} in stage ${stage}.`, { stage, fold });
}
