import fc from "fast-check";

/** Whether ten times as many cases are wanted: `npm run test:deep`. */
export const isDeep = process.env.FOLDMARK_DEEP === "1";

/** A number of cases, ten times as large in a deep run. */
export const cases = (usual: number): number => (isDeep ? 10 * usual : usual);

/** Milliseconds that a test of many cases may take. */
export const patience = isDeep ? 3_600_000 : 300_000;

/** The seed of tests that draw for themselves; a failure has to name it. */
export const testSeed: number = fc.readConfigureGlobal()?.seed ?? Math.floor(Math.random() * 2 ** 31);

export type Draws = {
  /** 0 .. below - 1. */
  below(below: number): number;
  pick<T>(options: readonly T[]): T;
};

/** Draws that follow from a seed (mulberry32). */
export function drawsFrom(seed: number): Draws {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number) => Math.floor(next() * limit);
  return {
    below,
    pick: (options) => {
      const picked = options[below(options.length)];
      if (picked === undefined) throw new RangeError("There is nothing to pick from.");
      return picked;
    },
  };
}
