import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import {
  baseUnits,
  baseUnitsCodec,
  formatAmount,
  fromDecimalString,
  MAX_BASE_UNITS,
  mulDivDown,
  mulDivUp,
  parseAmount,
  priceOfAnswer,
  priceOfWork,
  toDecimalString,
} from "../src/index.ts";

const amount = fc.bigInt({ min: 0n, max: MAX_BASE_UNITS }).map(baseUnits);
const small = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });

describe("baseUnits", () => {
  it.each([-1n, MAX_BASE_UNITS + 1n])("refuses %s", (value) => {
    expect(() => baseUnits(value)).toThrow(expect.objectContaining({ code: "money.out_of_range" }));
  });
});

describe("mulDivDown and mulDivUp", () => {
  it("enclose the exact quotient, and meet where it is whole", () => {
    fc.assert(
      fc.property(small, small, fc.bigInt({ min: 1n, max: 1n << 64n }), (a, b, divisor) => {
        fc.pre((a * b) / divisor < MAX_BASE_UNITS);
        const [down, up] = [mulDivDown(a, b, divisor), mulDivUp(a, b, divisor)];
        expect(down * divisor <= a * b && a * b <= up * divisor).toBe(true);
        expect(up - down).toBe((a * b) % divisor === 0n ? 0n : 1n);
      }),
    );
  });
  it("refuse a divisor of 0 and negative factors", () => {
    expect(() => mulDivUp(1n, 1n, 0n)).toThrow(expect.objectContaining({ code: "money.out_of_range" }));
    expect(() => mulDivDown(-1n, 1n, 1n)).toThrow(expect.objectContaining({ code: "money.out_of_range" }));
  });
});

describe("priceOfAnswer", () => {
  const prices = { priceIn: baseUnits(100_000n), priceOut: baseUnits(400_000n) };
  it.each([
    { behaviour: "adds prompt and answer", usage: { promptTokens: 10, answerTokens: 5 }, price: 3n },
    { behaviour: "rounds up once for both", usage: { promptTokens: 1, answerTokens: 1 }, price: 1n },
    { behaviour: "rounds a sum just above a unit up", usage: { promptTokens: 11, answerTokens: 5 }, price: 4n },
    { behaviour: "is 0 for nothing", usage: { promptTokens: 0, answerTokens: 0 }, price: 0n },
  ])("$behaviour", ({ usage, price }) => {
    expect(priceOfAnswer({ ...usage, ...prices })).toBe(price);
  });
  it.each([1.5, -1, Number.NaN, 2 ** 53])("refuses %s tokens", (promptTokens) => {
    expect(() => priceOfAnswer({ promptTokens, answerTokens: 1, ...prices })).toThrow(
      expect.objectContaining({ code: "money.out_of_range" }),
    );
  });
});

it("priceOfWork rounds up", () => {
  expect(priceOfWork({ units: 262_144, priceUnit: baseUnits(10n) })).toBe(3n);
});

describe("amounts in JSON", () => {
  it("come back as they went", () => {
    fc.assert(
      fc.property(amount, (value) => {
        expect(z.decode(baseUnitsCodec, z.encode(baseUnitsCodec, value))).toBe(value);
        expect(fromDecimalString(toDecimalString(value))).toBe(value);
      }),
    );
  });
  it.each(["", "01", "-1", "+1", "1.0", "1e3", "0x1", " 1", (MAX_BASE_UNITS + 1n).toString(), "9".repeat(40)])(
    "refuse %j",
    (text) => {
      expect(baseUnitsCodec.safeParse(text).success).toBe(false);
      expect(() => fromDecimalString(text)).toThrow(expect.objectContaining({ code: "money.out_of_range" }));
    },
  );
});

describe("amounts for people", () => {
  it("are read and written with the token's decimals", () => {
    expect(formatAmount(1_234_567n)).toBe("1.234567");
    expect(parseAmount("0.10")).toBe(100_000n);
    fc.assert(fc.property(amount, (value) => void expect(parseAmount(formatAmount(value))).toBe(value)));
  });
  it.each(["", ".5", "1.", "1.2345678", "-1", "1e6", "1,5"])("refuse %j", (text) => {
    expect(() => parseAmount(text)).toThrow(expect.objectContaining({ code: "money.out_of_range" }));
  });
});
