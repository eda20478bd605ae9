import { describe, expect, it } from "vitest";
import { openReference } from "../../src/index.ts";
import { MATRIX_FORM_NAMES } from "../../src/wasm/dots/matrixForm.ts";
import { openWasmWith } from "../../src/wasm/index.ts";
import type { KernelFamily } from "../../src/wasm/kernelFamily.ts";
import { compileKernels, type FormKernels } from "../../src/wasm/kernels.ts";
import { knownAnswers, mismatches } from "../../src/wasm/knownAnswers/index.ts";
import { Arena } from "../../src/wasm/memory.ts";
import { relaxedDotTakesBytes } from "../support/relaxedDot.ts";
import { tinyConstants, tinyTransformer } from "./tinyTransformer.ts";

const LIMIT = 2 ** 24;
const SHAPE = { maxT: 70, width: 24, heads: 4, group: 2, headSize: 8, vocabulary: 40, layers: 2 };

/** What this machine has no use for: its relaxed instructions may give other numbers. */
const lacking: KernelFamily[] = relaxedDotTakesBytes() ? [] : ["relaxed"];

function mismatchesWith(broken: (own: FormKernels, arena: Arena) => FormKernels) {
  const arena = new Arena(LIMIT);
  const kernels = compileKernels(arena.memory);
  for (const form of MATRIX_FORM_NAMES) {
    const own = kernels[form];
    if (own !== undefined) kernels[form] = { ...own, ...broken(own, arena) };
  }
  return mismatches(knownAnswers({ arena, kernels }));
}

describe("known answers", () => {
  it("are right on this machine, again and again", () => {
    const arena = new Arena(LIMIT);
    const answers = knownAnswers({ arena, kernels: compileKernels(arena.memory) });
    const used = arena.usedBytes;
    for (let times = 0; times < 3; times++) expect([...mismatches(answers).keys()]).toEqual(lacking);
    expect(arena.usedBytes).toBe(used);
  });

  it.each(["dotRows", "dotRowsWide"] as const)("find one wrong bit of one sum of %s", (kernel) => {
    const wrong = mismatchesWith((own, arena) => ({
      ...own,
      [kernel]: (...args: Parameters<FormKernels["dotRows"]>) => {
        own[kernel](...args);
        const out = (args[6] >>> 2) + (kernel === "dotRows" ? 5 : 10);
        arena.words[out] = (arena.words[out] ?? 0) ^ 0x10000;
      },
    }));
    expect([...wrong.keys()]).toEqual(["relaxed", "matrix"]);
    expect(wrong.get("matrix")).toMatchObject({
      code: "machine.kernel_mismatch",
      details: { family: "matrix", kernel, row: 5 },
    });
  });

  it("find a kernel that traps", () => {
    const wrong = mismatchesWith((own) => ({
      ...own,
      widenRow() {
        throw new RangeError("memory access out of bounds");
      },
    }));
    expect(wrong.get("matrix")).toMatchObject({ details: { family: "matrix" } });
  });

  it.each<KernelFamily[][]>([
    [[]],
    [["relaxed"]],
    [["relaxed", "matrix"]],
    [["runs"]],
    [["vectors"]],
    [["relaxed", "matrix", "runs", "vectors"]],
  ])("compute the same bits without %j", async (without) => {
    const { program, logits, sample } = tinyTransformer(SHAPE);
    const constants = tinyConstants(program, 7);
    const source = (index: number) => constants[index] ?? new Uint8Array();
    const tokens = new Uint8Array(Int32Array.from({ length: 70 }, (_, t) => (t * 37 + 11) % SHAPE.vocabulary).buffer);
    const job = {
      T: 70,
      request: program.requests.map(({ cols }) => new Uint8Array(cols * 4).fill(1)),
      claimed: [tokens],
      want: [logits, sample].map(({ stage, fold }) => ({ stage, fold, steps: "all" as const })),
    };
    const engine = await openWasmWith(program, source, { without });
    expect([...engine.without].sort()).toEqual([...new Set([...without, ...lacking])].sort());
    expect(engine.run(job)).toEqual((await openReference(program, source)).run(job));
    engine.checkKernels();
    const names = engine.explain().map(({ kernel }) => kernel);
    const missing = new Set<string>([...without, ...lacking]);
    expect({
      relaxed: names.includes("dot i16 x i8 in limbs"),
      matrix: names.includes("dot i16 x i8"),
      runs: names.some((name) => name.startsWith("dot of runs")),
      vectors: names.some((name) => name.startsWith("vector")),
    }).toEqual({
      relaxed: !missing.has("relaxed"),
      matrix: missing.has("relaxed") && !missing.has("matrix"),
      runs: !missing.has("runs"),
      vectors: !missing.has("vectors"),
    });
  });
});
