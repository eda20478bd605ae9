import type { Engine } from "@foldmark/machine";
import { WorkloadError } from "../errors.ts";
import type { AnswerSource, BuiltModel } from "../packages/family.ts";

/** What a server knows of a model besides its engine: all of it follows from family and configuration. */
export type ServedModel = Pick<BuiltModel, "kind" | "length"> & {
  answers: readonly Omit<AnswerSource, "shift">[];
  stopIds: readonly number[];
};

/** A whole answer as a statement names it, besides program and weights. */
export type AnsweredJob = { request: Uint8Array[]; claimed: Uint8Array[]; T: number };

/** The one fold that answers a model. More than one claimed tensor is no model of ours. */
export function answerOf({ answers }: ServedModel): Omit<AnswerSource, "shift"> {
  const [answer, ...others] = answers;
  if (answer && others.length === 0 && answer.claimed === 0) return answer;
  throw new WorkloadError("execution.answers_unsupported", `A model with ${answers.length} answers cannot be run.`, {
    answers: answers.length,
  });
}

/** Throws `execution.untrue` unless every element of a last stage is 1. */
export function assertTrue(ok: Uint8Array): void {
  const position = ok.findIndex((element) => element !== 1);
  if (position < 0) return;
  throw new WorkloadError("execution.untrue", `The answer is not true at element ${position} of the last stage.`, {
    position,
  });
}

export const lastStage = ({ program }: Engine): number => program.stages.length - 1;
