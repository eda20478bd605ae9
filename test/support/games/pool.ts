// Statements of every kind, true and false, with what their payees show.
import { programBytes } from "@foldmark/machine";
import { codeOf, HEADER, withCode, withHeader, withStage } from "../programEdits.ts";
import { tinyPrograms } from "../tinyPrograms.ts";
import { deepJob } from "./deepJob.ts";
import { FORGERIES, falseAnswers, forgedTraces } from "./lies.ts";
import { clearlyFalse, type Subject, subjectOf } from "./subject.ts";

export type Pool = { truths: readonly Subject[]; lies: readonly Subject[] };

/** Some of each kind, spread over the elements of each program. */
export function aPool(ofEach: number): Pool {
  const spread = (all: readonly Subject[]): Subject[] => {
    const every = Math.max(1, Math.floor(all.length / ofEach));
    return all.filter((_, i) => i % every === 0).slice(0, ofEach);
  };
  const deep = { kind: "a deep trace", job: deepJob() };
  const truths = [...tinyPrograms, deep].map(({ kind, job }) => subjectOf(`${kind}, truly`, job));
  const lies = tinyPrograms.flatMap(({ kind, job }) => [
    ...FORGERIES.flatMap((forgery) => spread([...forgedTraces(kind, job, forgery, [1])])),
    ...[true, false].flatMap((forgesOk) => spread([...falseAnswers(kind, job, { forgesOk })])),
    ...[0, 1].map((byte) => subjectOf(`${kind}, root ${byte}`, job, { root: new Uint8Array(32).fill(byte) })),
  ]);
  const deepLies = [
    ...FORGERIES.flatMap((forgery) => [...forgedTraces(deep.kind, deep.job, forgery, [1], 1_501)]),
    ...falseAnswers(deep.kind, deep.job, { forgesOk: true }, 101),
  ];
  return { truths, lies: [...lies, ...deepLies, ...clearLies().map(({ subject }) => subject)] };
}

/** Statements that are false whatever their trace. */
export function clearLies(): { lie: string; subject: Subject }[] {
  const [{ job }] = tinyPrograms as [(typeof tinyPrograms)[0]];
  const bytes = programBytes(job.program);
  const cases = [
    { lie: "T = 0", how: { T: 0 } },
    { lie: "T one above the longest", how: { T: job.program.maxT + 1 } },
    { lie: "T of 2^32 - 1", how: { T: 2 ** 32 - 1 } },
    { lie: "another version", how: { bytes: withHeader(bytes, HEADER.version, [2]) } },
    { lie: "a longest job of 0", how: { bytes: withHeader(bytes, HEADER.maxT, [0, 0, 0, 0]) } },
    { lie: "an unknown order", how: { bytes: withStage(bytes, 1, (record) => Uint8Array.of(9, ...record.slice(1))) } },
    { lie: "an unknown operation", how: { bytes: withCode(bytes, { stage: 0 }, () => codeOf([0x7f])) } },
    { lie: "a record cut short", how: { bytes: withStage(bytes, 2, (record) => record.slice(0, 9)) } },
  ];
  return cases.map(({ lie, how }) => ({ lie, subject: clearlyFalse(lie, job, how) }));
}
