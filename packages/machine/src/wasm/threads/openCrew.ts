import type { CompiledModule } from "../asm.ts";
import type { CompiledFold } from "../compile.ts";
import type { KernelModule, Kernels } from "../kernels.ts";
import type { KnownAnswer } from "../knownAnswers/knownAnswer.ts";
import { matrixAnswers } from "../knownAnswers/matrix.ts";
import type { Arena } from "../memory.ts";
import type { KernelFunction } from "./chunks.ts";
import { Crew } from "./crew.ts";
import { kernelsOfHelper, sharedKernels } from "./sharedKernels.ts";

export type CrewParts = {
  arena: Arena;
  kernels: KernelModule;
  compiled: readonly CompiledFold[];
  foldModule: CompiledModule;
};

/** Threads of an engine, with kernels that use all of them and the known answers of each helper's. */
export type OpenedCrew = { crew: Crew; kernels: Kernels; answers: KnownAnswer[] };

/** @throws `machine.threads_unavailable` */
export async function openCrew(threads: number, parts: CrewParts): Promise<OpenedCrew> {
  const { arena, compiled, foldModule } = parts;
  const { kernels, exports, module } = parts.kernels;
  const { names } = module;
  const functions = {
    kernels: names.map((name) => exports[name] as KernelFunction),
    folds: foldModule.names.map((_, at) => compiled.find((fold) => fold.function === at)?.run as CompiledFold["run"]),
  };
  const crew = await Crew.start(threads, functions, { kernels: module, folds: foldModule });
  const answers = crew.helpers.flatMap((helper) =>
    matrixAnswers({ arena, kernels: kernelsOfHelper(kernels, names, crew, helper) }),
  );
  return { crew, kernels: sharedKernels(kernels, names, crew), answers };
}
