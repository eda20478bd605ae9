const SIGNALS = ["SIGINT", "SIGTERM"] as const;

type Handlers = {
  /** Ends gently. */
  onFirst(signal: NodeJS.Signals): Promise<void>;
  /** Asked again while it does: ends now. */
  onSecond(signal: NodeJS.Signals): Promise<void>;
};

/** Waits for a signal to stop and for what it starts; a second one does not wait any longer. */
export async function tillSignal({ onFirst, onSecond }: Handlers): Promise<NodeJS.Signals> {
  const { promise, resolve, reject } = Promise.withResolvers<NodeJS.Signals>();
  let count = 0;
  const listener = (signal: NodeJS.Signals) => {
    count++;
    if (count > 2) return;
    (count === 1 ? onFirst(signal) : onSecond(signal)).then(() => resolve(signal), reject);
  };
  for (const signal of SIGNALS) process.on(signal, listener);
  try {
    return await promise;
  } finally {
    for (const signal of SIGNALS) process.off(signal, listener);
  }
}
