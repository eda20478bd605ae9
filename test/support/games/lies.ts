// Every lie about a tiny program that differs from the truth in one element.
import type { RandomJob } from "@foldmark/machine/testing";
import {
  allElements,
  anotherValue,
  changedAlone,
  changedThroughout,
  leafWith,
  valueAt,
  withAllTrue,
} from "../../../packages/machine/test/support/mutations.ts";
import { honestTrace, type Subject, subjectOf } from "./subject.ts";

export const FORGERIES = [
  { lie: "one element changed", throughout: false, forgesOk: false },
  { lie: "one element changed, ok forged to 1", throughout: false, forgesOk: true },
  { lie: "one element changed and all that follows", throughout: true, forgesOk: false },
  { lie: "one element changed and all that follows, ok forged to 1", throughout: true, forgesOk: true },
] as const;
export type Forgery = Omit<(typeof FORGERIES)[number], "lie">;

/** A true statement of which another trace is shown, for each element; those that forging brings back to the truth left out. */
export function* forgedTraces(
  kind: string,
  job: RandomJob,
  { throughout, forgesOk }: Forgery,
  picks: readonly number[],
): Generator<Subject> {
  const { program } = job;
  const honest = honestTrace(job);
  for (const at of allElements(program, job.job.T))
    for (const pick of picks) {
      const value = anotherValue(program, at, { value: valueAt(program, honest, at), pick });
      const change = leafWith(program, honest, at, value);
      const lie = throughout ? changedThroughout(job, honest, change) : changedAlone(program, honest, change);
      const forged = forgesOk ? withAllTrue(program, lie) : lie;
      if (Buffer.compare(forged.root, honest.root) === 0) continue;
      yield subjectOf(`${kind}: ${JSON.stringify(at)} = ${value}`, job, forged);
    }
}

/** Other answers than what was computed, each byte of them: with their honest trace, or with one whose ok is 1 throughout. */
export function* falseAnswers(kind: string, job: RandomJob, { forgesOk }: { forgesOk: boolean }): Generator<Subject> {
  for (const [tensor, bytes] of job.job.claimed.entries())
    for (const index of bytes.keys()) {
      const claimed = job.job.claimed.map((each) => each.slice());
      (claimed[tensor] as Uint8Array)[index] = (bytes[index] ?? 0) ^ 1;
      const stated = { ...job, job: { ...job.job, claimed } };
      const shown = forgesOk ? withAllTrue(job.program, honestTrace(stated)) : undefined;
      yield subjectOf(`${kind}: byte ${index} of claimed tensor ${tensor}`, stated, shown);
    }
}
