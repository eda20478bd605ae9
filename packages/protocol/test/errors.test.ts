import { describe, expect, it } from "vitest";
import { ERRORS, EXIT, errorRow, FoldmarkError, openAiError } from "../src/index.ts";

describe("the table of errors", () => {
  it("gives every code a dotted name, an HTTP error status and a documented exit code that is not 0", () => {
    for (const [code, row] of Object.entries(ERRORS)) {
      expect(code).toMatch(/^[a-z_]+\.[a-z_]+$/);
      expect(row.status, code).toBeGreaterThanOrEqual(400);
      expect(row.exit, code).not.toBe(EXIT.done);
      expect(Object.values(EXIT), code).toContain(row.exit);
    }
  });
  it("knows a code on another class of error, and those of machine and packages by their prefix", () => {
    expect(errorRow(Object.assign(new Error("x"), { code: "model.unknown" }))).toMatchObject({ status: 404 });
    expect(errorRow(Object.assign(new Error("x"), { code: "machine.shape_mismatch" }))).toMatchObject({
      exit: EXIT.damaged,
    });
    expect(errorRow(Object.assign(new Error("x"), { code: "package.root" }))).toMatchObject({ exit: EXIT.damaged });
    expect(errorRow(Object.assign(new Error("x"), { code: "ENOENT" }))).toMatchObject({ status: 500, exit: EXIT.bug });
    expect(errorRow(Object.assign(new Error("x"), { code: "constructor" }))).toMatchObject({ status: 500 });
    expect(errorRow("thrown text")).toMatchObject({ status: 500 });
  });
});

describe("openAiError", () => {
  it("has OpenAI's four fields, with the name that clients know", () => {
    const error = new FoldmarkError("budget.exhausted", "The key's budget is used up.", {
      hint: "Raise it.",
      details: { left: "0" },
    });
    expect(openAiError(error)).toEqual({
      error: {
        message: "The key's budget is used up. Raise it.",
        type: "insufficient_quota",
        param: null,
        code: "insufficient_balance",
      },
    });
  });
  it("names the parameter that was wrong", () => {
    expect(
      openAiError(new FoldmarkError("request.invalid", "n must be 1.", { details: { param: "n" } })).error,
    ).toMatchObject({ param: "n", code: "request.invalid" });
  });
  it("shows nothing of an unexpected error", () => {
    expect(JSON.stringify(openAiError(new Error("password is hunter2")))).not.toContain("hunter2");
  });
});
