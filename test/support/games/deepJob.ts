// A job whose trace is deep: two reveals for the steps of its loop, and tensors of several leaves with a short last one.
import { readElement, traceInMemory } from "@foldmark/machine";
import type { RandomJob } from "@foldmark/machine/testing";
import { littleEndian, secondProgram } from "../../../packages/machine/test/support/knownPrograms.ts";

const T = 50;

/** The second program of the known answers: every order, an argmax, a history, a loop of two folds. */
export function deepJob(): RandomJob {
  const program = secondProgram();
  const constants = [littleEndian(2, [300, -200, 100, -50, 125, 7])];
  const request = [littleEndian(8, [-5, 3])];
  const source = (index: number) => constants[index] ?? new Uint8Array();
  const blank = traceInMemory(program, source, { T, request, claimed: [new Uint8Array(4 * T)] });
  const answers = Array.from({ length: T }, (_, t) =>
    Number(readElement("i64", blank.leaf({ stage: 3, fold: 1, t }, 0), 1)),
  );
  return { program, constants, job: { T, request, claimed: [littleEndian(4, answers)] } };
}
