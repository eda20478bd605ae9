import fc from "fast-check";

/**
 * The seed of every property test: fixed, so that a change is judged by the change. `SEED=random` draws a new one,
 * any other number repeats a failure that was printed.
 */
const seed = process.env.SEED ?? "20261126";
if (seed !== "random") {
  if (!/^-?\d+$/.test(seed)) throw new Error(`SEED is "${seed}": give a whole number, or "random".`);
  fc.configureGlobal({ seed: Number(seed) });
}
