import { describe, expect, it } from "vitest";
import { exponential, fromNumber, logarithm, ONE, PI, round, sineCosine } from "../src/exact/fixedPoint.ts";
import { exp2Table, gumbelTable, ropeTables, shiftTable, sigmoidTable } from "../src/llama/tables.ts";
import { normalTable, powersOfTwoTable } from "../src/simulations/tables.ts";

const toNumber = (fixed: bigint) => Number(fixed >> 64n) / 2 ** 64;

describe("fixed point", () => {
  it.each([1e-9, 0.1, 0.5, 1, 1.5, 2, 3, 100, 1e5])("agrees with the library on ln, exp, sin and cos of %f", (x) => {
    const fixed = fromNumber(x);
    expect(toNumber(logarithm(fixed))).toBeCloseTo(Math.log(x), 12);
    expect(toNumber(exponential(-fixed))).toBeCloseTo(Math.exp(-x), 14);
    expect(toNumber(sineCosine(fixed).sine)).toBeCloseTo(Math.sin(x), 10);
    expect(toNumber(sineCosine(-fixed).cosine)).toBeCloseTo(Math.cos(x), 10);
  });

  it("inverts the exponential with the logarithm to more than 100 bits", () => {
    for (const x of [0.3, -0.7, 5, -20]) {
      const error = logarithm(exponential(fromNumber(x))) - fromNumber(x);
      expect(error < ONE >> 90n && error > -(ONE >> 90n)).toBe(true);
    }
  });

  it("knows pi", () => {
    expect(round(PI, 10n ** 30n)).toBe(3_141592653589793238462643383280n);
  });

  it("refuses what has no value", () => {
    expect(() => fromNumber(Number.NaN)).toThrow(RangeError);
    expect(() => logarithm(0n)).toThrow(RangeError);
  });
});

describe("tables", () => {
  it("rounds 2^(-i/64) and the logistic function like exact arithmetic", () => {
    expect([...exp2Table()]).toEqual(Array.from({ length: 65 }, (_, i) => Math.round(16_256 * 2 ** (-i / 64))));
    const logistic = (i: number) => Math.round(32_768 / (1 + Math.exp(16 - i / 16)));
    expect([...sigmoidTable()]).toEqual(Array.from({ length: 513 }, (_, i) => logistic(i)));
  });

  it("makes a product of every rounded shift of a probability", () => {
    const table = shiftTable();
    const wrong: number[][] = [];
    for (let e = 0; e <= 16_256; e++) {
      for (let a = 0; a <= 24; a++) {
        const shifted = (e + ((1 << a) >> 1)) >> a;
        if (Math.floor((2 * e * (table[a] as number) + 2 ** 14) / 2 ** 15) !== shifted) wrong.push([e, a]);
      }
    }
    expect(wrong).toEqual([]);
  });

  it("holds Gumbel noise of both tails", () => {
    const table = gumbelTable();
    const q = (i: number) => (2 ** Math.floor(i / 64) * (1 + (i % 64) / 64)) / 2 ** 33;
    for (let i = 0; i <= 2_048; i++) {
      expect(table[2_049 + i], `below, ${i}`).toBe(Math.round(-65_536 * Math.log(-Math.log(q(i)))));
      expect(table[i], `above, ${i}`).toBe(Math.round(-65_536 * Math.log(-Math.log1p(-q(i)))));
    }
    expect([Math.min(...table), Math.max(...table)]).toEqual([-205_127, 1_499_061]);
  });

  it("turns pairs by the angles of rope and leaves the other channels", () => {
    const { cosine, sine } = ropeTables({ maxT: 100, headSize: 8, rotated: 4, base: 10_000, factors: [1, 2] });
    for (const t of [0, 1, 57, 99]) {
      const angle = (t * 10_000 ** (-2 / 4)) / 2;
      expect(cosine[t * 8 + 2]).toBe(Math.round(16_384 * Math.cos(angle)));
      expect(sine[t * 8 + 3]).toBe(Math.round(16_384 * Math.sin(angle)));
      expect((sine[t * 8 + 2] as number) + (sine[t * 8 + 3] as number)).toBe(0);
      expect([cosine[t * 8 + 5], sine[t * 8 + 5]]).toEqual([16_384, 0]);
    }
  });

  it("holds normal quantiles, whose distribution function is the quantile again", () => {
    const table = normalTable();
    expect(table[2_048]).toBe(0);
    expect((table[2_048 - 64] as number) / 2 ** 20).toBeCloseTo(-0.674489750196, 6); // q = 1/4
    expect((table[2_048 - 7 * 64] as number) / 2 ** 20).toBeCloseTo(-2.660067468617, 6); // q = 1/256
    expect((table[0] as number) / 2 ** 20).toBeCloseTo(-6.337957381, 5); // q = 2^-33
    expect(powersOfTwoTable()[128]).toBe(Math.round(2 ** 30.5));
  });
});
