import { describe, expect, it } from "vitest";
import {
  add,
  decodeExpression,
  dot,
  encodeCode,
  literal,
  MachineError,
  mul,
  type Program,
  programBuilder,
  size,
} from "../src/index.ts";
import { firstProgram, hex, secondProgram } from "./support/knownPrograms.ts";

const codesOf = (program: Program) =>
  program.stages.flatMap((stage) => stage.folds.map((fold) => hex(encodeCode(fold))));
const bodyOf = (program: Program) => hex(program.stages[0]?.folds[0]?.body ?? new Uint8Array());

describe("programBuilder", () => {
  it("writes the code of the first known answer", () => {
    expect(codesOf(firstProgram())).toEqual([
      "01040000000c000100070b000004070b020012090103010113",
      "0000000000100004010001000c0000000100040b01001b",
    ]);
  });

  it("writes the code of the second known answer", () => {
    expect(codesOf(secondProgram())).toEqual([
      "000000000016000406010001000b00002102ffff000016020080000011",
      "01020000000e00060100070c00000005070b02001209010415",
      "020000008007000405070c010000",
      "000000000023000401001b010001010b00000100060e010406040601000c0200000c010000010915101d",
      "000000000013000100060d0001f90102130100010106110e0011",
      "00000000000c0004010212010001010c030001",
      "000000000010000100040b010004010001010c0300011b",
    ]);
  });

  it("computes a value that is used twice once", () => {
    const p = programBuilder({ maxT: 1 });
    const x = p.request({ type: "i8", rows: 1, cols: 1 });
    p.fold({ type: "i8" }, () => {
      const value = x.at(0, 0);
      return mul(value, value);
    });
    expect(bodyOf(p.build())).toBe("010001000b0000" + "0a00" + "0a01" + "12");
  });

  it.each([
    { value: 127, code: "017f" },
    { value: -128, code: "0180" },
    { value: 128, code: "0280000000" },
    { value: -(2 ** 31), code: "0200000080" },
    { value: 2 ** 31, code: "030000008000000000" },
    { value: 2n ** 64n - 1n, code: "01ff" },
  ])("writes $value as the shortest literal", ({ value, code }) => {
    const p = programBuilder({ maxT: 1 });
    p.fold({ type: "i8" }, () => literal(value));
    expect(bodyOf(p.build())).toBe(code);
  });

  it("numbers tensors over requests, claimed and constants, in whatever order they are declared", () => {
    const p = programBuilder({ maxT: 1 });
    const constant = p.constant({ type: "i8", rows: 1, cols: 1 });
    const request = p.request({ type: "i8", rows: 1, cols: 1 });
    p.fold({ type: "i8" }, () => add(constant.at(0, 0), request.at(0, 0)));
    expect(bodyOf(p.build())).toBe("010001000b0100" + "010001000b0000" + "10");
  });

  it("names the fold in an error", () => {
    const p = programBuilder({ maxT: 1 });
    p.fold({ name: "lonely", type: "i8", cols: size.history, order: 1 }, () => 1);
    expect(() => p.build()).toThrow(/Stage 0, fold 0: cols is a size of kind 2.*lonely/);
  });

  it.each([1.5, Number.NaN, 2 ** 60, 2n ** 64n])("refuses the literal %s", (value) => {
    expect(() => literal(value)).toThrow(MachineError);
  });
});

describe("dot", () => {
  const p = programBuilder({ maxT: 4 });
  const narrow = p.constant({ type: "i8", rows: 3, cols: 4 });
  const wide = p.constant({ type: "i16", rows: 1, cols: 4 });

  it("puts the wider operand first", () => {
    p.sum({ type: "i64", cols: 3, axis: 4 }, { body: ({ c, k }) => dot(narrow.at(c, k), wide.at(0, k)) });
    const body = p.build().stages[0]?.folds[0]?.body ?? new Uint8Array();
    const { root } = decodeExpression(body, { part: "body", loop: false });
    expect(root.args.map((arg) => (arg.op === "tensor" ? arg.tensor : arg.op))).toEqual([1, 0]);
  });

  it("refuses a load that is not a run over k", () => {
    const refused = () => p.sum({ type: "i64", axis: 4 }, { body: ({ k }) => dot(narrow.at(k, 0), wide.at(0, k)) });
    expect(refused).toThrow(expect.objectContaining({ code: "machine.no_dot" }));
  });
});
