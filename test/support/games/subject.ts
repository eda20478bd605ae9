// What is disputed: a statement, and the trace that its payee shows.
import {
  clearRefutation,
  type Program,
  type ProgramBytes,
  programBytes,
  type Refutation,
  type Trace,
  traceInMemory,
} from "@foldmark/machine";
import { claimedRoot, leafHash, listRoot, requestRoot, weightsRoot } from "@foldmark/machine/commitments";
import type { RandomJob } from "@foldmark/machine/testing";
import { type Preimage, toHash } from "@foldmark/protocol";
import { bytesToHex } from "viem";
import type { DisputeTrace } from "../../../packages/node/src/disputes/traces/disputeTrace.ts";
import { localTrace } from "../../../packages/node/src/disputes/traces/localTrace.ts";

/** What a payee can show of a tree. What it cannot is undefined: a root from nowhere has nothing under it. */
export type Shown = Pick<DisputeTrace, "root"> & Partial<Pick<DisputeTrace, "nodes" | "leaf">>;

export type Subject = {
  name: string;
  program: Program;
  preimage: Preimage;
  /** The trace that computing the job again gives; undefined where the statement has none. */
  own: DisputeTrace | undefined;
  /** What proves the statement false without a trace. */
  clear: Refutation | undefined;
  /** What the payee posts and reveals. */
  shown: Shown;
};

/** Whether what is stated is so. What the payee then shows is another matter. */
export const isTrue = ({ own, clear }: Subject): boolean => clear === undefined && own?.firstFalse === undefined;

/** Whether a payee could play all of its games to the end and lose none. */
export const isHonest = (subject: Subject): boolean =>
  isTrue(subject) && Buffer.compare(subject.shown.root, subject.own?.root ?? new Uint8Array()) === 0;

export const honestTrace = ({ program, constants, job }: RandomJob): Trace =>
  traceInMemory(program, (i) => constants[i] ?? new Uint8Array(), job);

/** A job as it is stated, with the trace that its payee shows; by default the one that it has. */
export function subjectOf(name: string, job: RandomJob, shown?: Trace | Shown): Subject {
  const { program, constants } = job;
  const source = { program, constants: (i: number) => constants[i] ?? new Uint8Array(), job: job.job };
  const own = localTrace(honestTrace(job), source);
  const asShown = (trace: Trace | Shown): Shown => ("firstFalse" in trace ? localTrace(trace, source) : trace);
  return {
    ...{ name, program, own, clear: undefined, preimage: preimageOf(job, programBytes(program)) },
    shown: shown ? asShown(shown) : own,
  };
}

/** A statement that is false whatever its trace: T out of range, or bytes that are no program. */
export function clearlyFalse(
  name: string,
  job: RandomJob,
  { bytes, T }: { bytes?: ProgramBytes; T?: number },
): Subject {
  const stated = bytes ?? programBytes(job.program);
  const clear = clearRefutation(stated, T ?? job.job.T);
  if (!clear) throw new Error(`${name} is not clearly false`);
  const preimage = { ...preimageOf(job, stated), T: T ?? job.job.T };
  return { ...{ name, preimage, clear, own: undefined, program: job.program }, shown: subjectOf(name, job).shown };
}

function preimageOf({ constants, job }: RandomJob, { header, records }: ProgramBytes): Preimage {
  const hash = (bytes: Uint8Array) => toHash(bytesToHex(bytes));
  return {
    ...{ header: bytesToHex(header), programRoot: hash(listRoot(records.map(leafHash))), T: job.T },
    ...{ weightsRoot: hash(weightsRoot(constants)), requestRoot: hash(requestRoot(job.request)) },
    claimedRoot: hash(claimedRoot(job.claimed)),
  };
}
