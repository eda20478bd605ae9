import { MachineError } from "../../errors.ts";
import type { KernelFamily } from "../kernelFamily.ts";
import { argmaxAnswers } from "./argmax.ts";
import { arithmeticAnswers } from "./arithmetic.ts";
import type { Bench, KnownAnswer } from "./knownAnswer.ts";
import { matrixAnswers } from "./matrix.ts";
import { runAnswers } from "./runs.ts";
import { vectorAnswers } from "./vectors.ts";

/** The known answers of every kernel, ready to be asked as often as one likes. */
export const knownAnswers = (bench: Bench): KnownAnswer[] => [
  ...arithmeticAnswers(bench),
  ...matrixAnswers(bench),
  ...runAnswers(),
  ...argmaxAnswers(),
  ...vectorAnswers(),
];

/** Computes all of them and gives the first mismatch of each family. */
export function mismatches(answers: readonly KnownAnswer[]): Map<KernelFamily, MachineError> {
  const found = new Map<KernelFamily, MachineError>();
  for (const { family, check } of answers)
    try {
      if (!found.has(family)) check();
    } catch (error) {
      // a kernel that traps is as wrong as one that answers
      found.set(family, withFamily(family, error));
    }
  return found;
}

function withFamily(family: KernelFamily, error: unknown): MachineError {
  if (!(error instanceof MachineError)) {
    const message = `A kernel of the family ${family} fails on this machine.`;
    return new MachineError("machine.kernel_mismatch", message, { family }, { cause: error });
  }
  return new MachineError(error.code, error.message, { family, ...error.details }, { cause: error });
}
