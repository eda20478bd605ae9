import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { programRoot } from "../src/commitments/index.ts";
import { ACCEPTANCE_LIMITS, encodeCode, OPS } from "../src/index.ts";
import { firstProgram, hex, secondProgram } from "./support/knownPrograms.ts";

const page = readFileSync(new URL("../../../docs/fold-machine.md", import.meta.url), "utf8");

describe("docs/fold-machine.md", () => {
  it("shows the codes and roots of the known programs", () => {
    for (const program of [firstProgram(), secondProgram()]) {
      expect(page).toContain(hex(programRoot(program)));
      for (const fold of program.stages.flatMap((stage) => stage.folds)) expect(page).toContain(hex(encodeCode(fold)));
    }
  });

  it("lists the byte of every operation", () => {
    const listed = page.split("\n").flatMap((line) => {
      const codes = /^\| ((?:[0-9a-f]{2}[ ,n|u168]*)+) \|/.exec(line)?.[1] ?? "";
      return [...codes.matchAll(/\b[0-9a-f]{2}\b/g)].map(([code]) => Number.parseInt(code, 16));
    });
    expect(new Set(listed)).toEqual(new Set(Object.values(OPS).map(({ code }) => code)));
  });

  it("states the limits that are applied", () => {
    expect(page).toContain(`${ACCEPTANCE_LIMITS.evidenceBytes.toLocaleString("en")} bytes of evidence`);
    expect(page).toContain(`${ACCEPTANCE_LIMITS.gas.toLocaleString("en")} gas`);
  });
});
