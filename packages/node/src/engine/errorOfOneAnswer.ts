/** An error with a code, as a rule. What nobody foresaw may have left the engine in any state. */
export type ErrorOfOneAnswer = Error & { code: unknown };

/** False where nothing more can be computed before the engine is opened again. */
export const isOfOneAnswer = (error: unknown): error is ErrorOfOneAnswer =>
  error instanceof Error && "code" in error && error.code !== "machine.thread_lost";
