import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dequantise, halfToFloat } from "../src/importers/dequantise.ts";

const block = (...parts: (number[] | Uint8Array)[]) => Uint8Array.from(parts.flatMap((part) => [...part]));
const HALF_ONE = [0x00, 0x3c];
const HALF_MINUS_TWO = [0x00, 0xc0];
/** 0.1 as the nearest half, 0x2e66 = 1638/16384. */
const HALF_TENTH = [0x66, 0x2e];
const TENTH = 1638 / 16384;

describe("dequantise", () => {
  it("copies F32 bit for bit", () => {
    const numbers = Float32Array.of(1.5, -0, 1e-45, Number.NEGATIVE_INFINITY);
    expect(dequantise("F32", new Uint8Array(numbers.buffer))).toEqual(numbers);
  });

  it("reads F16 and BF16", () => {
    expect(dequantise("F16", block(HALF_ONE, HALF_MINUS_TWO, HALF_TENTH))).toEqual(Float32Array.of(1, -2, TENTH));
    expect(dequantise("BF16", block([0x80, 0x3f], [0x20, 0xc1]))).toEqual(Float32Array.of(1, -10));
  });

  it("multiplies Q8_0 by the block's scale", () => {
    const quants = Int8Array.from({ length: 32 }, (_, i) => (i === 31 ? -128 : i - 5));
    const numbers = dequantise("Q8_0", block(HALF_TENTH, new Uint8Array(quants.buffer)));
    expect(numbers).toEqual(Float32Array.from(quants, (q) => Math.fround(TENTH * q)));
  });

  it("centres Q4_0 at 8, low nibbles first", () => {
    const pairs = Uint8Array.from({ length: 16 }, (_, i) => i | ((15 - i) << 4));
    const numbers = dequantise("Q4_0", block(HALF_MINUS_TWO, pairs));
    expect([...numbers.subarray(0, 16)]).toEqual(Array.from({ length: 16 }, (_, i) => -2 * (i - 8)));
    expect([...numbers.subarray(16)]).toEqual(Array.from({ length: 16 }, (_, i) => -2 * (7 - i)));
  });

  it("rounds Q4_1 after the product and after the sum", () => {
    // d = 2047, m = 2^-24: 15 d = 30705, and 30705 + 2^-24 needs 39 bits
    const pairs = Uint8Array.from({ length: 16 }, () => 0xff);
    expect(new Set(dequantise("Q4_1", block([0xff, 0x67], [0x01, 0x00], pairs)))).toEqual(new Set([30705]));
    const numbers = dequantise(
      "Q4_1",
      block(
        HALF_TENTH,
        HALF_ONE,
        Uint8Array.from({ length: 16 }, (_, i) => i),
      ),
    );
    expect([...numbers.subarray(0, 16)]).toEqual(
      Array.from({ length: 16 }, (_, i) => Math.fround(Math.fround(TENTH * i) + 1)),
    );
    expect([...numbers.subarray(16)]).toEqual(Array.from({ length: 16 }, () => 1));
  });

  it("reads a view that does not start at its buffer's start", () => {
    const padded = block([9, 9, 9], HALF_ONE, HALF_TENTH);
    expect(dequantise("F16", padded.subarray(3))).toEqual(Float32Array.of(1, TENTH));
  });

  it("refuses bytes that are no whole blocks", () => {
    expect(() => dequantise("Q8_0", new Uint8Array(33))).toThrow(expect.objectContaining({ code: "gguf.block" }));
  });
});

describe("halfToFloat", () => {
  it("knows the corners of the format", () => {
    expect([0x0000, 0x0001, 0x03ff, 0x0400, 0x7bff, 0x7c00, 0xfbff].map(halfToFloat)).toEqual([
      0,
      2 ** -24,
      1023 * 2 ** -24,
      2 ** -14,
      65504,
      Number.POSITIVE_INFINITY,
      -65504,
    ]);
    expect(Object.is(halfToFloat(0x8000), -0)).toBe(true);
    expect(halfToFloat(0x7e00)).toBeNaN();
  });

  it("is the value of sign, exponent and fraction for every half", () => {
    fc.assert(
      fc.property(fc.boolean(), fc.nat(30), fc.nat(1023), (isNegative, exponent, fraction) => {
        const value = exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25);
        expect(halfToFloat((isNegative ? 0x8000 : 0) | (exponent << 10) | fraction)).toBe(isNegative ? -value : value);
      }),
    );
  });
});
