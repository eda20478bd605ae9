// Every lie about a tiny program that differs from the truth in one element.
import { forge, type RandomJob } from "@foldmark/machine/testing";
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
  every = 1,
): Generator<Subject> {
  const { program } = job;
  const honest = honestTrace(job);
  const elements = [...allElements(program, job.job.T)].filter((_, i) => i % every === 0);
  for (const at of elements)
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
export function* falseAnswers(
  kind: string,
  job: RandomJob,
  { forgesOk }: { forgesOk: boolean },
  every = 1,
): Generator<Subject> {
  const places = job.job.claimed.flatMap((bytes, tensor) => [...bytes.keys()].map((index) => ({ tensor, index })));
  for (const { tensor, index } of places.filter((_, i) => i % every === 0)) {
    const claimed = job.job.claimed.map((each) => each.slice());
    const bytes = claimed[tensor] ?? new Uint8Array();
    bytes[index] = (bytes[index] ?? 0) ^ 1;
    const stated = { ...job, job: { ...job.job, claimed } };
    const shown = forgesOk ? withAllTrue(job.program, honestTrace(stated)) : undefined;
    yield subjectOf(`${kind}: byte ${index} of claimed tensor ${tensor}`, stated, shown);
  }
}

/** Trees in which a leaf has another length than its tensor: what is missing or too much cannot be shown. */
export function* otherLengths(kind: string, job: RandomJob, every: number): Generator<Subject> {
  const { program } = job;
  const honest = honestTrace(job);
  const elements = [...allElements(program, job.job.T)].filter((_, i) => i % every === 0);
  for (const at of elements) {
    const change = leafWith(program, honest, at, valueAt(program, honest, at));
    const { length } = change.bytes;
    for (const bytes of [
      change.bytes.slice(0, length - 1),
      Buffer.concat([change.bytes, Buffer.of(0)]),
      new Uint8Array(),
    ])
      yield subjectOf(
        `${kind}: ${JSON.stringify(at)} in ${bytes.length} bytes instead of ${length}`,
        job,
        forge(honest, { program, changes: [{ ...change, bytes }] }),
      );
  }
}
