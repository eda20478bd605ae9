/** One holder at a time for each key, in the order in which they came. */
export type Mutex = {
  /**
   * Waits for the key and returns the function that gives it back; giving it back twice is harmless.
   * @throws the signal's reason, where it aborts before the key is free
   */
  take(key: string, options?: { signal?: AbortSignal }): Promise<() => void>;
};

export function openMutex(): Mutex {
  const tails = new Map<string, Promise<void>>();
  return {
    async take(key, { signal } = {}) {
      const before = tails.get(key) ?? Promise.resolve();
      const { promise, resolve } = Promise.withResolvers<void>();
      tails.set(key, promise);
      const release = () => {
        if (tails.get(key) === promise) tails.delete(key);
        resolve();
      };
      if (signal) await waitFor(before, { signal, orElse: () => void before.then(release) });
      else await before;
      return release;
    },
  };
}

/** Waits for a turn; who gives up still takes it when it comes, to hand it on. */
async function waitFor(
  turn: Promise<void>,
  { signal, orElse }: { signal: AbortSignal; orElse: () => void },
): Promise<void> {
  const { promise: given, reject } = Promise.withResolvers<never>();
  const giveUp = () => reject(signal.reason);
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    await Promise.race([turn, given]);
  } catch (error) {
    orElse();
    throw error;
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}
