import { describe, expect, it } from "vitest";
import { openReference } from "../../src/index.ts";
import { openWasmWith } from "../../src/wasm/index.ts";
import type { KernelFamily } from "../../src/wasm/kernelFamily.ts";
import { compileKernels, type Kernels } from "../../src/wasm/kernels.ts";
import { knownAnswers, mismatches } from "../../src/wasm/knownAnswers/index.ts";
import { Arena } from "../../src/wasm/memory.ts";
import { tinyConstants, tinyTransformer } from "./tinyTransformer.ts";

const LIMIT = 2 ** 24;
const SHAPE = { maxT: 70, width: 24, heads: 4, group: 2, headSize: 8, vocabulary: 40, layers: 2 };

function mismatchesWith(broken: (kernels: Kernels, arena: Arena) => Partial<Kernels>) {
  const arena = new Arena(LIMIT);
  const kernels = compileKernels(arena.memory);
  return mismatches(knownAnswers({ arena, kernels: { ...kernels, ...broken(kernels, arena) } }));
}

describe("known answers", () => {
  it("are right on this machine, again and again", () => {
    const arena = new Arena(LIMIT);
    const answers = knownAnswers({ arena, kernels: compileKernels(arena.memory) });
    const used = arena.usedBytes;
    for (let times = 0; times < 3; times++) expect(mismatches(answers)).toEqual(new Map());
    expect(arena.usedBytes).toBe(used);
  });

  it("find a kernel that is wrong in one bit of one sum, and one that traps", () => {
    const wrong = mismatchesWith((kernels, arena) => ({
      dotRows(...args) {
        kernels.dotRows(...args);
        const out = (args[6] >>> 2) + 5;
        arena.words[out] = (arena.words[out] ?? 0) ^ 0x10000;
      },
    }));
    expect([...wrong.keys()]).toEqual(["matrix"]);
    expect(wrong.get("matrix")).toMatchObject({
      code: "machine.kernel_mismatch",
      details: { family: "matrix", kernel: "dotRows", row: 5 },
    });
    const trapping = mismatchesWith(() => ({
      widenRow() {
        throw new RangeError("memory access out of bounds");
      },
    }));
    expect(trapping.get("matrix")).toMatchObject({ details: { family: "matrix" } });
  });

  it.each<KernelFamily[][]>([
    [["matrix"]],
    [["runs"]],
    [["vectors"]],
    [["matrix", "runs"]],
    [["matrix", "runs", "vectors"]],
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
    expect([...engine.without]).toEqual(without);
    expect(engine.run(job)).toEqual((await openReference(program, source)).run(job));
    engine.checkKernels();
    const names = engine.explain().map(({ kernel }) => kernel);
    const isUsed: Record<string, boolean> = {
      matrix: names.includes("dot i16 x i8"),
      runs: names.some((name) => name.startsWith("dot of runs")),
      vectors: names.some((name) => name.startsWith("vector")),
    };
    expect(Object.keys(isUsed).filter((family) => isUsed[family])).toEqual(
      Object.keys(isUsed).filter((family) => !without.some((each) => each === family)),
    );
  });
});
