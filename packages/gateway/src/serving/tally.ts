import { type Count, type CounterName, countsSince, countUp } from "../store/counters.ts";
import type { Database } from "../store/open.ts";

/** Counts for the transparency report and the metrics. Kept in memory for a moment, so that no request waits for them. */
export type Tally = {
  add(count: Count): void;
  /** Sums since a UTC day. */
  since(day: string): ReturnType<typeof countsSince>;
  flush(): Promise<void>;
};

export type TallyDeps = {
  db: Database;
  now: () => number;
  onCount?: (name: CounterName, label: string, amount: bigint) => void;
};

export function openTally({ db, now, onCount }: TallyDeps): Tally {
  const pending: { count: Count; at: number }[] = [];
  let flushing: Promise<void> = Promise.resolve();

  async function write(): Promise<void> {
    for (let next = pending.shift(); next; next = pending.shift()) await countUp(db, next.count, next.at);
  }
  const flush = (): Promise<void> => {
    flushing = flushing.then(write, write);
    return flushing;
  };
  return {
    add(count) {
      onCount?.(count.name, count.label, count.amount ?? 0n);
      pending.push({ count, at: now() });
    },
    async since(day) {
      await flush();
      return countsSince(db, day);
    },
    flush,
  };
}
