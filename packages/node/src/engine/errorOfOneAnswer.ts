/** An error with a code, as a rule. What nobody foresaw may have left the engine in any state. */
export type ErrorOfOneAnswer = Error & { code: unknown };

/** Errors after which nothing more can be computed, or believed, before the engine is opened again. */
const ENDS_ENGINE: readonly unknown[] = ["machine.thread_lost", "machine.kernel_mismatch"];

export const isOfOneAnswer = (error: unknown): error is ErrorOfOneAnswer =>
  error instanceof Error && "code" in error && !ENDS_ENGINE.includes(error.code);
