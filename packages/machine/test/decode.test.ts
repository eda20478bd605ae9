import { describe, expect, it } from "vitest";
import { decodeProgram, encodeProgram, type MachineError, type Program, size } from "../src/index.ts";
import { assertWellFormed } from "../src/validate/wellFormed.ts";
import { firstProgram, secondProgram } from "./support/knownPrograms.ts";

function errorOf(run: () => unknown): Pick<MachineError, "code" | "details" | "message"> {
  try {
    run();
  } catch (error) {
    return error as MachineError;
  }
  throw new Error("nothing was thrown");
}

describe("decodeProgram", () => {
  it.each([
    { name: "first", program: firstProgram() },
    { name: "second", program: secondProgram() },
  ])("reads what encodeProgram wrote: $name", ({ program }) => {
    expect(decodeProgram(encodeProgram(program))).toEqual(program);
  });

  it("refuses a file that ends early, at every length", () => {
    const file = encodeProgram(firstProgram());
    for (let length = 0; length < file.length; length++)
      expect(errorOf(() => decodeProgram(file.subarray(0, length))).code, `length ${length}`).toBe("machine.truncated");
  });

  it("refuses bytes after the program", () => {
    const file = encodeProgram(firstProgram());
    expect(errorOf(() => decodeProgram(Uint8Array.of(...file, 0))).code).toBe("machine.trailing_bytes");
  });

  it("refuses a code that is not its record's", () => {
    const file = encodeProgram(firstProgram());
    file[file.length - 1] = 0x1c;
    expect(errorOf(() => decodeProgram(file))).toMatchObject({
      code: "machine.code_mismatch",
      details: { stage: 1, fold: 0 },
    });
  });

  it("refuses another version", () => {
    const file = encodeProgram(firstProgram());
    file[0] = 2;
    expect(errorOf(() => decodeProgram(file))).toMatchObject({ code: "machine.malformed", details: { rule: 0 } });
  });
});

const T = size.steps();
type FoldChange = Partial<Program["stages"][number]["folds"][number]>;
type Change = { fold?: FoldChange; stage?: Partial<Program["stages"][number]>; program?: Partial<Program> };
/** A program of one plain fold and one last fold, changed in one place. */
function aProgram({ fold = {}, stage = {}, program = {} }: Change): Program {
  const plain = {
    type: "i32",
    rows: 1,
    cols: 1,
    combine: "none",
    axis: 0,
    body: code("04"),
    finish: code(""),
  } as const;
  return {
    maxT: 10,
    requests: [{ type: "i8", rows: 1, cols: 1 }],
    claimed: [{ type: "i8", rows: 1, cols: T }],
    constants: [],
    stages: [
      { order: 0, steps: T, folds: [plain] },
      { order: 0, steps: T, folds: [{ ...plain, ...fold }], ...stage },
    ],
    ...program,
  };
}
const code = (hex: string) => Uint8Array.from(Buffer.from(hex, "hex"));
const plain = { type: "i32", rows: 1, cols: 1, combine: "none", axis: 0, body: code("04"), finish: code("") } as const;
const tensor = (change: object) => ({ program: { requests: [{ type: "i8", rows: 1, cols: 1, ...change } as const] } });
const inLoop = (body: string, folds = [plain]) => ({
  stage: { order: 2 as const, folds: [...folds, { ...plain, body: code(body) }] },
});
const ones = (count: number) => "0100".repeat(count);

describe("assertWellFormed", () => {
  it("accepts the program that the cases below change", () =>
    expect(() => assertWellFormed(aProgram({}))).not.toThrow());

  it.each<{ flaw: string; rule: number; change: Change }>([
    { flaw: "no stage", rule: 0, change: { program: { stages: [] } } },
    { flaw: "maxT of 0", rule: 0, change: { program: { maxT: 0 } } },
    { flaw: "maxT above 2^24", rule: 0, change: { program: { maxT: 2 ** 24 + 1 } } },
    { flaw: "a request tensor above 2^40 bytes", rule: 0, change: tensor({ rows: 2 ** 29, cols: 2 ** 12 }) },
    { flaw: "a fold above 2^40 bytes", rule: 0, change: { fold: { type: "i64", rows: 2 ** 29, cols: 2 ** 6 } } },
    {
      flaw: "a history above 2^40 bytes",
      rule: 0,
      change: { program: { maxT: 2 ** 20 }, fold: { cols: size.history } },
    },
    { flaw: "request rows that depend on T", rule: 1, change: tensor({ rows: T }) },
    { flaw: "request columns of 0", rule: 1, change: tensor({ cols: 0 }) },
    { flaw: "steps of history", rule: 1, change: { stage: { steps: size.history } } },
    { flaw: "steps of ceil(T / 0)", rule: 1, change: { stage: { steps: size.steps(0) } } },
    { flaw: "rows of history", rule: 1, change: { fold: { rows: size.history } } },
    { flaw: "columns of kind 2 with n = 1", rule: 1, change: { fold: { cols: size.history + 1 } } },
    { flaw: "columns of kind 3", rule: 1, change: { fold: { cols: 0xc000_0001 } } },
    {
      flaw: "columns of history in order 1",
      rule: 1,
      change: { stage: { order: 1 as const, folds: [{ ...plain, cols: size.history }] } },
    },
    { flaw: "two folds in order 0", rule: 1, change: { stage: { folds: [plain, plain] } } },
    { flaw: "no fold", rule: 1, change: { stage: { folds: [] } } },
    { flaw: "17 folds in a loop", rule: 1, change: { stage: { order: 2 as const, folds: Array(17).fill(plain) } } },
    { flaw: "an axis with combine none", rule: 1, change: { fold: { axis: 1 } } },
    { flaw: "a sum without an axis", rule: 1, change: { fold: { combine: "sum" as const } } },
    {
      flaw: "an argmax of i64",
      rule: 1,
      change: { fold: { combine: "argmax" as const, axis: 1, type: "i64" as const } },
    },
    {
      flaw: "an argmax with a finish",
      rule: 1,
      change: { fold: { combine: "argmax" as const, axis: 1, finish: code("09") } },
    },
    { flaw: "an empty body", rule: 1, change: { fold: { body: code("") } } },
    { flaw: "a code of 1,025 bytes", rule: 1, change: { fold: { body: code(`${ones(1)}${"1f".repeat(1016)}`) } } },
    { flaw: "an unknown operation", rule: 2, change: { fold: { body: code("0f") } } },
    { flaw: "an immediate outside the body", rule: 2, change: { fold: { body: code("02000000") } } },
    { flaw: "too few operands", rule: 2, change: { fold: { body: code("010010") } } },
    { flaw: "a pick below the stack", rule: 2, change: { fold: { body: code("01000a01") } } },
    { flaw: "33 entries", rule: 2, change: { fold: { body: code(ones(33)) } } },
    { flaw: "acc in a body", rule: 2, change: { fold: { body: code("09") } } },
    { flaw: "k in a finish", rule: 2, change: { fold: { finish: code("07") } } },
    { flaw: "now outside a loop", rule: 2, change: { fold: { body: code("010001000d00") } } },
    { flaw: "prev outside a loop", rule: 2, change: { fold: { body: code("010001000e00") } } },
    {
      flaw: "33 loads",
      rule: 2,
      change: {
        fold: { body: code(`0100${"01000b0000".repeat(17)}`), finish: code(`0100${"01000b0000".repeat(16)}`) },
      },
    },
    { flaw: "a tensor that does not exist", rule: 3, change: { fold: { body: code("010001000b0200") } } },
    { flaw: "a load of its own stage", rule: 3, change: { fold: { body: code("0100010001000c010000") } } },
    { flaw: "a fold that does not exist", rule: 3, change: { fold: { body: code("0100010001000c000001") } } },
    { flaw: "now of itself", rule: 3, change: inLoop("010001000d01") },
    { flaw: "prev of a fold that does not exist", rule: 3, change: inLoop("010001000e02") },
  ])("refuses $flaw by rule $rule", ({ change, rule }) => {
    expect(errorOf(() => assertWellFormed(aProgram(change)))).toMatchObject({
      code: "machine.malformed",
      details: { rule },
    });
  });

  it.each<{ extreme: string; change: Change }>([
    { extreme: "32 entries", change: { fold: { body: code(ones(32)) } } },
    {
      extreme: "32 loads",
      change: {
        fold: { body: code(`0100${"01000b0000".repeat(16)}`), finish: code(`0100${"01000b0000".repeat(16)}`) },
      },
    },
    { extreme: "16 folds in a loop", change: { stage: { order: 2 as const, folds: Array(16).fill(plain) } } },
    { extreme: "a code of 1,024 bytes", change: { fold: { body: code(`${ones(1)}${"1f".repeat(1015)}`) } } },
    { extreme: "prev of a later fold, now of an earlier one", change: inLoop("010001000e01" + "010001000d00" + "10") },
    { extreme: "maxT of 2^24", change: { program: { maxT: 2 ** 24 } } },
    { extreme: "a tensor of 2^40 bytes", change: tensor({ rows: 2 ** 28, cols: 2 ** 12 }) },
  ])("accepts $extreme", ({ change }) => {
    expect(() => assertWellFormed(aProgram(change))).not.toThrow();
  });
});
