/** One holder at a time for each key, in the order in which they came. */
export type Mutex = {
  /** Waits for the key and returns the function that gives it back; giving it back twice is harmless. */
  take(key: string): Promise<() => void>;
};

export function openMutex(): Mutex {
  const tails = new Map<string, Promise<void>>();
  return {
    async take(key) {
      const before = tails.get(key);
      const { promise, resolve } = Promise.withResolvers<void>();
      tails.set(key, promise);
      await before;
      return () => {
        if (tails.get(key) === promise) tails.delete(key);
        resolve();
      };
    },
  };
}
