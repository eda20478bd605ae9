import type { ConstantSource, OpenEngine } from "../engine.ts";
import type { Program } from "../program.ts";
import { watchConstants } from "../snapshot.ts";
import { stepwiseReasons } from "../validate/stepwise.ts";
import { assertWellFormed } from "../validate/wellFormed.ts";
import { compileFolds } from "./compile.ts";
import { placeConstants } from "./constants.ts";
import { dotFormOf } from "./dots/dotForm.ts";
import { MATRIX_FORM_NAMES, MATRIX_FORMS } from "./dots/matrixForm.ts";
import { CompiledEngine, type WasmEngine } from "./engine.ts";
import { Evaluator } from "./evaluate.ts";
import { readFolds } from "./folds.ts";
import { HeldBlock } from "./heldBlock.ts";
import type { KernelFamily } from "./kernelFamily.ts";
import { compileKernelModule } from "./kernels.ts";
import { knownAnswers, mismatches } from "./knownAnswers/index.ts";
import { Arena, MAX_MEMORY_BYTES } from "./memory.ts";
import { openCrew } from "./threads/openCrew.ts";
import { assertThreads } from "./threads/workers.ts";

export type WasmOptions = {
  /** Memory for constants, sessions and buffers together. A call that would need more fails with `machine.out_of_memory`. */
  memoryLimitBytes?: number;
  /** Kernels to do without, because this machine was seen to compute them wrongly. */
  without?: readonly KernelFamily[];
  /** Threads that compute, the caller's included: 1 by default. More need memory that can be shared, and cores. */
  threads?: number;
};

/**
 * Compiles a program to WebAssembly and loads its constants. Bit for bit the same results as the reference.
 * @throws `machine.malformed`, `machine.bad_constant`, `machine.out_of_memory`, `machine.threads_unavailable` for
 * more than one thread where there are none, and `machine.kernel_mismatch` where this machine computes a kernel wrongly
 */
export const openWasm: OpenEngine = (program, constants) => openWasmWith(program, constants, {});

/** `openWasm` with options, and what this back end can say besides. */
export async function openWasmWith(
  program: Program,
  constants: ConstantSource,
  options: WasmOptions,
): Promise<WasmEngine> {
  const { memoryLimitBytes = MAX_MEMORY_BYTES, threads = 1 } = options;
  assertWellFormed(program);
  if (threads !== 1) assertThreads(threads);
  const arena = new Arena(memoryLimitBytes, { shared: threads > 1 });
  const kernelModule = compileKernelModule(arena.memory);
  const { kernels } = kernelModule;
  const answers = knownAnswers({ arena, kernels });
  const wrong = mismatches(answers);
  const unreplaceable = wrong.get("arithmetic");
  if (unreplaceable !== undefined) throw unreplaceable;
  const without = new Set([...(options.without ?? []), ...wrong.keys()]);
  const folds = readFolds(program);
  const forms = MATRIX_FORM_NAMES.filter((form) => !without.has(MATRIX_FORMS[form].family));
  const matrices = new Set(folds.codes.flatMap((code) => dotFormOf(program, code)?.tensor ?? []));
  const { source, identity } = watchConstants(program, constants);
  const placed = placeConstants(program, source, { arena, kernels, matrices, forms });
  const stepwise = stepwiseReasons(program).length === 0;
  const { folds: compiled, module: foldModule } = compileFolds(program, folds, {
    ...{ arena, constants: placed, stepwise, without },
  });
  const opened =
    threads === 1 ? undefined : await openCrew(threads, { arena, kernels: kernelModule, compiled, foldModule });
  if (opened !== undefined) answers.push(...opened.answers);
  const crew = opened?.crew;
  const evaluator = new Evaluator({ program, folds, compiled, arena, kernels: opened?.kernels ?? kernels, crew });
  const parts = { program, folds, arena, evaluator, lastStage: new HeldBlock(arena) };
  const engine = new CompiledEngine(parts, { compiled, stepwise, without, answers, identity, crew });
  try {
    if (crew !== undefined) engine.checkKernels();
    return engine;
  } catch (error) {
    engine.close();
    throw error;
  }
}
