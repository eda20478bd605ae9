import type { Program } from "@foldmark/machine";

/**
 * Where the answer of a job comes from. `claimed` counts the claimed tensors from 0; `stage` and `fold` name a fold of
 * the program. With `shift: 1` element [0, t + 1] of the claimed tensor is element (t, 0, 0) of that fold, step by step;
 * without it the claimed tensor is that fold, run whole.
 */
export type AnswerSource = { claimed: number; stage: number; fold: number; shift?: 1 };

/** How T follows from a job: the stop rule ends it, or one element of a request tensor says it, `[tensor, column]`. */
export type LengthRule = "open" | { request: [tensor: number, column: number] };

export type ModelKind = "chat" | "simulation";

/** A program with what a server has to know to run it: all of it follows from family and configuration alone. */
export type BuiltModel = {
  program: Program;
  kind: ModelKind;
  answers: AnswerSource[];
  length: LengthRule;
  /** Tokens that end an answer, in the order in which the program compares them; empty where none do. */
  stopIds: number[];
};

/** A builder of programs that anybody may run again, to see that a package holds the program that it names. */
export type Family = {
  /** As manifests name it, such as `llama`. */
  name: string;
  /** The same bytes for the same configuration on every machine. Throws a `WorkloadError` for one that does not fit. */
  build(configuration: unknown): BuiltModel;
};

/** The families that a loader knows, by name. */
export type Families = ReadonlyMap<string, Family>;
