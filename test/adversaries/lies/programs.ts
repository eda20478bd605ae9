// Lies about the program: bytes that are none, a length that it does not have, another program than the one ordered.
import { type Program, type ProgramBytes, programBytes } from "@foldmark/machine";
import { codeOf, HEADER, withCode, withHeader, withStage } from "../../support/programEdits.ts";
import { jobOf } from "./models.ts";
import { type Lie, smallTrace, type Told, toldOfJob } from "./told.ts";

const simulation = (): Told => {
  const job = jobOf("a loop simulation");
  return toldOfJob("simulation", job, smallTrace(job));
};

/** The true answer, signed as the answer of other bytes. */
const malformed =
  (change: (bytes: ProgramBytes) => ProgramBytes): Lie =>
  async () => {
    const told = simulation();
    const { model } = told.stated;
    return { ...told, stated: { ...told.stated, bytes: change(programBytes(model.program)) } };
  };

/** The true answer, signed for another number of steps. */
const ofLength =
  (T: (maxT: number) => number): Lie =>
  async () => {
    const told = simulation();
    const { model, job } = told.stated;
    return { ...told, stated: { model, job: { ...job, T: T(model.program.maxT) } } };
  };

export const zeroSteps = ofLength(() => 0);
export const tooManySteps = ofLength((maxT) => maxT + 1);
export const mostSteps = ofLength(() => 2 ** 32 - 1);
/** With no last stage every statement would be true. */
export const noStages = malformed((bytes) => ({
  ...withHeader(bytes, HEADER.stages, [0, 0]),
  records: bytes.records.slice(0, -bytes.codes.length),
  codes: [],
}));
export const anotherVersion = malformed((bytes) => withHeader(bytes, HEADER.version, [2]));
export const unknownOperation = malformed((bytes) => withCode(bytes, { stage: 1 }, () => codeOf([0x7f])));
export const unknownOrder = malformed((bytes) => withStage(bytes, 1, (record) => Uint8Array.of(9, ...record.slice(1))));
export const recordCutShort = malformed((bytes) => withStage(bytes, 2, (record) => record.slice(0, 9)));

/** A last stage that says 1 whatever the answer is: the statement is true, of a program that nobody has ordered. */
export const recordThatAlwaysSaysOne: Lie = async () => {
  const { program, constants, job } = jobOf("a loop simulation");
  const one = Uint8Array.of(1, 1); // a literal of one byte
  const always: Program = {
    ...program,
    stages: program.stages.map((stage, i) =>
      i < program.stages.length - 1 ? stage : { ...stage, folds: stage.folds.map((fold) => ({ ...fold, body: one })) },
    ),
  };
  const claimed = job.claimed.map((bytes) => bytes.slice().fill(7));
  const stated = { program: always, constants, job: { ...job, claimed } };
  return toldOfJob("simulation", stated, smallTrace(stated));
};
