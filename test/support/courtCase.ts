// A job in dispute, as tests of the referee need it.
import {
  CommittedTensors,
  type ElementAt,
  type PayeeTree,
  type Refutation,
  refutationOf,
  type Target,
  type Trace,
  traceInMemory,
} from "@foldmark/machine";
import type { RandomJob } from "@foldmark/machine/testing";
import {
  anotherValue,
  changedAlone,
  leafWith,
  pickElement,
  valueAt,
} from "../../packages/machine/test/support/mutations.ts";
import type { Draws } from "./deep.ts";
import { type RefuteCall, statementOf } from "./refuteCall.ts";

export type CourtCase = ReturnType<typeof courtCase>;

export function courtCase(job: RandomJob) {
  const { program, constants } = job;
  const honest = traceInMemory(program, (i) => constants[i] ?? new Uint8Array(), job.job);
  const statement = statementOf(job);
  const disputed = { ...job.job, constants: CommittedTensors.of(constants) };
  const last = program.stages.length - 1;
  const evidence = (target: Target, payee: PayeeTree): Refutation => refutationOf(program, disputed, target, payee);
  return {
    ...{ program, job, honest, statement, evidence },
    /** Evidence about an element of a trace that is known whole. */
    call: (trace: Trace, target: Target): RefuteCall => ({
      ...{ statement, traceRoot: trace.root },
      evidence: evidence(target, { trace }),
    }),
    isArgmax: ({ stage, fold }: ElementAt) => program.stages[stage]?.folds[fold]?.combine === "argmax",
    /** Whether an element makes the statement false just by what it is. */
    isFalseItself: (trace: Trace, at: ElementAt) => at.stage === last && valueAt(program, trace, at) !== 1n,
  };
}

export function drawElement({ program, job }: CourtCase, draws: Draws): ElementAt {
  const picks = Array.from({ length: 5 }, () => draws.below(2 ** 31));
  return pickElement(program, job.job.T, picks);
}

/** The trace with another value in one element, and the target that shows it. */
export function lieAt({ program, honest, isArgmax }: CourtCase, at: ElementAt, draws: Draws) {
  const truth = valueAt(program, honest, at);
  const value = anotherValue(program, at, { value: truth, pick: draws.below(2 ** 31) });
  const trace = changedAlone(program, honest, leafWith(program, honest, at, value));
  return { trace, value, target: { ...at, j: isArgmax(at) ? Number(truth) : 0 } };
}

/** A program and its job, for a message: what is needed to see a failure again. */
export const shown = (job: RandomJob): string =>
  JSON.stringify(job, (_, value) =>
    value instanceof Uint8Array
      ? Buffer.from(value).toString("hex")
      : typeof value === "bigint"
        ? value.toString()
        : value,
  );
