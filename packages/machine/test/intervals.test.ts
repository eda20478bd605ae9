import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Arithmetic, arithmetic } from "../src/index.ts";
import { arithmeticIntervals, contains, I64, type Interval, point } from "../src/intervals.ts";

const value = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.bigInt({ min: -70n, max: 70n }),
  fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n, -(2n ** 32n), 2n ** 31n, -128n, -64n, 255n, 65_535n),
);
/** An interval and a value in it. */
const inside = fc.tuple(value, value, value).map(([a, b, c]) => {
  const [lo = 0n, middle = 0n, hi = 0n] = [a, b, c].sort((x, y) => (x < y ? -1 : x > y ? 1 : 0));
  return { interval: { lo, hi }, value: middle };
});

describe("arithmeticIntervals", () => {
  it.each(Object.keys(arithmetic) as Arithmetic[])("%s: holds every result that does not wrap", (op) =>
    fc.assert(
      fc.property(inside, inside, inside, (a, b, c) => {
        const bounds: Interval = arithmeticIntervals[op](a.interval, b.interval, c.interval);
        if (!contains(I64, bounds)) return; // then the analysis says that it may wrap
        const result = arithmetic[op](a.value, b.value, c.value);
        expect(contains(bounds, point(result)), `${result} in ${bounds.lo}..${bounds.hi}`).toBe(true);
      }),
      { numRuns: 400 },
    ),
  );

  it.each<{ op: Arithmetic; args: [Interval, Interval?, Interval?]; bounds: Interval }>([
    { op: "and", args: [I64, point(255n)], bounds: { lo: 0n, hi: 255n } },
    { op: "and", args: [{ lo: -100n, hi: 100n }, point(-16n)], bounds: { lo: -112n, hi: 96n } },
    { op: "shr", args: [{ lo: -5n, hi: 100n }, point(2n)], bounds: { lo: -1n, hi: 25n } },
    {
      op: "or",
      args: [
        { lo: 0n, hi: 1n },
        { lo: 0n, hi: 1n },
      ],
      bounds: { lo: 0n, hi: 1n },
    },
    { op: "udiv", args: [point(2n ** 44n), { lo: 16n, hi: 2n ** 62n }], bounds: { lo: 0n, hi: 2n ** 40n } },
    { op: "mulshr", args: [I64, I64, point(63n)], bounds: { lo: -(2n ** 63n) + 1n, hi: 2n ** 63n } },
    { op: "select", args: [{ lo: 1n, hi: 9n }, point(4n), I64], bounds: point(4n) },
    { op: "isqrt", args: [{ lo: 17n, hi: 2n ** 62n }], bounds: { lo: 4n, hi: 2n ** 31n } },
  ])("$op is tight where programs rely on it", ({ op, args: [a, b = I64, c = I64], bounds }) => {
    expect(arithmeticIntervals[op](a, b, c)).toEqual(bounds);
  });
});
