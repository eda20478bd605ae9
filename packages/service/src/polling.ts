/** A task that repeats until it is disposed of. */
export type Polling = AsyncDisposable & {
  /** Runs the task now, or joins the run in progress. */
  now(): Promise<void>;
};

/**
 * Repeats a task with a pause between runs; an error is handed over and the next run comes all the same. Disposing waits
 * for the run in progress.
 */
export function poll(
  task: () => Promise<unknown>,
  { intervalMs, onError }: { intervalMs: number; onError: (error: unknown) => void },
): Polling {
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let isStopped = false;

  const run = (): Promise<void> => {
    running ??= Promise.resolve()
      .then(task)
      .then(() => undefined, onError)
      .finally(() => {
        running = undefined;
        clearTimeout(timer);
        if (!isStopped) timer = setTimeout(() => void run(), intervalMs);
      });
    return running;
  };
  void run();

  return {
    now: run,
    async [Symbol.asyncDispose]() {
      isStopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
