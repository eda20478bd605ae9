import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Arithmetic,
  arithmetic,
  type Job,
  openReference,
  philox4x32,
  programBuilder,
  traceByReference,
} from "../src/index.ts";
import { firstProgram, hex, littleEndian, secondProgram } from "./support/knownPrograms.ts";

const first = {
  program: firstProgram(),
  constants: () => littleEndian(1, [1, 1, 1, 1, -1, 2, -3, 4, 127, 127, 127, -128]),
  job: { T: 3, request: [littleEndian(1, [1, -2, 3, -128])], claimed: [littleEndian(4, [-189, -789, 24_957])] },
};
const second = {
  program: secondProgram(),
  constants: () => littleEndian(2, [300, -200, 100, -50, 125, 7]),
  job: { T: 5, request: [littleEndian(8, [-5, 3])], claimed: [littleEndian(4, [-5, 221, -349, 97, -305])] },
};

const MIN = -(2n ** 63n);
const MAX = 2n ** 63n - 1n;
/** Where operations go wrong: signs, the ends of every type, shift counts at and around 0, 63 and 64. */
const BOUNDARIES = [
  MIN,
  MIN + 1n,
  -(2n ** 32n),
  -(2n ** 31n),
  -65n,
  -64n,
  -2n,
  -1n,
  0n,
  1n,
  2n,
  3n,
  62n,
  63n,
  64n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 62n,
  MAX - 1n,
  MAX,
];

describe("philox4x32", () => {
  it.each([
    { name: "zeros", counter: [0, 0, 0, 0], key: [0, 0], words: "6627e8d5 e169c58d bc57ac4c 9b00dbd8" },
    {
      name: "ones",
      counter: Array(4).fill(0xffff_ffff),
      key: Array(2).fill(0xffff_ffff),
      words: "408f276d 41c83b0e a20bc7c6 6d5451fd",
    },
    {
      name: "pi",
      counter: [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      key: [0xa4093822, 0x299f31d0],
      words: "d16cfe09 94fdcceb 5001e420 24126ea1",
    },
  ])("gives Random123's vector for $name", ({ counter: [a = 0, b = 0, c = 0, d = 0], key: [x = 0, y = 0], words }) => {
    expect(
      philox4x32([a, b, c, d], [x, y])
        .map((word) => word.toString(16).padStart(8, "0"))
        .join(" "),
    ).toBe(words);
  });

  it("makes one i64 of the first two words", () => {
    expect(BigInt.asUintN(64, arithmetic.philox(0n, 0n, 0n))).toBe(0xe169_c58d_6627_e8d5n);
  });
});

describe("arithmetic", () => {
  it.each<{ op: Arithmetic; args: [bigint, bigint?, bigint?]; value: bigint }>([
    { op: "add", args: [MAX, 1n], value: MIN },
    { op: "sub", args: [0n, MIN], value: MIN },
    { op: "mul", args: [MIN, -1n], value: MIN },
    { op: "mulshr", args: [MAX, MAX, 63n], value: MAX - 1n },
    { op: "mulshr", args: [3n, -1n, 1n], value: -1n },
    { op: "mulshr", args: [MIN, MIN, 62n], value: 0n },
    { op: "shl", args: [1n, 63n], value: MIN },
    { op: "shl", args: [1n, 64n], value: MIN },
    { op: "shl", args: [5n, -1n], value: 5n },
    { op: "shr", args: [3n, 1n], value: 2n },
    { op: "shr", args: [-3n, 1n], value: -1n },
    { op: "shr", args: [MAX, 1n], value: 2n ** 62n },
    { op: "shr", args: [MIN, 64n], value: -1n },
    { op: "shr", args: [MAX, 63n], value: 1n },
    { op: "shr", args: [7n, -1n], value: 7n },
    { op: "eq", args: [MIN, MIN], value: 1n },
    { op: "lt", args: [MIN, 0n], value: 1n },
    { op: "lt", args: [0n, 0n], value: 0n },
    { op: "select", args: [-1n, 5n, 6n], value: 5n },
    { op: "select", args: [0n, 5n, 6n], value: 6n },
    { op: "udiv", args: [5n, 0n], value: 0n },
    { op: "udiv", args: [MIN, 2n], value: 2n ** 62n },
    { op: "udiv", args: [-1n, 1n], value: -1n },
    { op: "udiv", args: [7n, -1n], value: 0n },
    { op: "isqrt", args: [-1n], value: 2n ** 32n - 1n },
    { op: "isqrt", args: [MAX], value: 3_037_000_499n },
    { op: "bitlen", args: [0n], value: 0n },
    { op: "bitlen", args: [MIN], value: 64n },
    { op: "bitlen", args: [MAX], value: 63n },
  ])("$op of $args is $value", ({ op, args: [a, b = 0n, c = 0n], value }) =>
    expect(arithmetic[op](a, b, c)).toBe(value),
  );

  it("is total, stays in i64, and equals the frozen vectors", () => {
    const digest = createHash("sha256");
    for (const op of Object.keys(arithmetic) as Arithmetic[])
      for (const a of BOUNDARIES)
        for (const b of BOUNDARIES)
          for (const c of [-1n, 0n, 1n, 31n, 63n, 64n, MIN, MAX]) {
            const value = arithmetic[op](a, b, c);
            expect(BigInt.asIntN(64, value), `${op} ${a} ${b} ${c}`).toBe(value);
            digest.update(`${op} ${a} ${b} ${c} = ${value}\n`);
          }
    expect(digest.digest("hex")).toBe("6f8a851dcb252d56ac5d17946d1d1f10e93768b3b01be5196c0050a053e75e6e");
  });

  it("rounds half up by the bits alone, without overflow", () => {
    const i64 = fc.bigInt({ min: MIN, max: MAX });
    fc.assert(
      fc.property(i64, fc.integer({ min: 1, max: 63 }), (a, s) => {
        expect(arithmetic.shr(a, BigInt(s))).toBe((a >> BigInt(s)) + ((a >> BigInt(s - 1)) & 1n));
      }),
    );
  });
});

describe("traceByReference", () => {
  it.each([
    { name: "first", ...first, root: "0ffc36b85e63766b4ac518544430c49d161d42cc0588cb4483053838362d5a71" },
    { name: "second", ...second, root: "4914ab357347f7e0839d4a11099609ee7ec251543ce4026d731891f502e11e91" },
  ])("has the known root for the $name program, and the statement is true", ({ program, constants, job, root }) => {
    const trace = traceByReference(program, constants, job);
    expect(hex(trace.root)).toBe(root);
    expect(trace.isTrue).toBe(true);
  });

  it("finds a changed claim false", () => {
    const claimed = [littleEndian(4, [-189, -788, 24_957])];
    expect(traceByReference(first.program, first.constants, { ...first.job, claimed }).isTrue).toBe(false);
  });
});

describe("openReference", () => {
  it("gives the known values of the first program", async () => {
    const engine = await openReference(first.program, first.constants);
    const [y, ok] = engine.run({
      ...first.job,
      want: [
        { stage: 0, fold: 0, steps: "all" },
        { stage: 1, fold: 0, steps: "all" },
      ],
    });
    expect(y).toEqual(littleEndian(4, [-189, -789, 24_957]));
    expect(ok).toEqual(Uint8Array.of(1, 1, 1));
  });

  it.each<{ flaw: string; change: Partial<Job> }>([
    { flaw: "T of 0", change: { T: 0 } },
    { flaw: "T above maxT", change: { T: 101 } },
    { flaw: "a short request", change: { request: [new Uint8Array(3)] } },
    { flaw: "a missing claimed tensor", change: { claimed: [] } },
    { flaw: "claimed columns for another T", change: { claimed: [new Uint8Array(8)] } },
  ])("refuses $flaw", async ({ change }) => {
    const engine = await openReference(first.program, first.constants);
    expect(() => engine.run({ ...first.job, ...change, want: [] })).toThrow(
      expect.objectContaining({ code: "machine.bad_job" }),
    );
  });

  it("refuses a constant of another length", async () => {
    await expect(openReference(first.program, () => new Uint8Array(11))).rejects.toMatchObject({
      code: "machine.bad_constant",
    });
  });

  it("refuses a session of a program that needs T", async () => {
    const p = programBuilder({ maxT: 4 });
    p.fold({ type: "i32" }, ({ T }) => T);
    p.fold({ type: "i8" }, () => 1);
    const engine = await openReference(p.build(), () => new Uint8Array());
    expect(() => engine.open({ request: [] })).toThrow(expect.objectContaining({ code: "machine.not_stepwise" }));
  });
});
