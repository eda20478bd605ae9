import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { openWasmWith, programBuilder } from "../../../src/index.ts";
import {
  type AsmFunction,
  compileModule,
  defineFunction,
  forLoop,
  i32,
  type Local,
  local,
} from "../../../src/wasm/asm.ts";
import { compileKernelModule, exportName } from "../../../src/wasm/kernels.ts";
import { mismatches } from "../../../src/wasm/knownAnswers/index.ts";
import { matrixAnswers } from "../../../src/wasm/knownAnswers/matrix.ts";
import { Arena } from "../../../src/wasm/memory.ts";
import { Crew, type KernelJob } from "../../../src/wasm/threads/crew.ts";
import { kernelsOfHelper } from "../../../src/wasm/threads/sharedKernels.ts";

/** Arguments: address, value, count. Writes `times * value`, `times * (value + 1)` and so on. */
const writeWords = (times: number): AsmFunction =>
  defineFunction({ in: ["i32", "i32", "i32"], out: [] }, (args, locals) => {
    const [address, value, count] = args as [Local<"i32">, Local<"i32">, Local<"i32">];
    forLoop(locals.i32(), count, 1, () => {
      i32.store({}, address, i32.mul(value, times));
      local.set(address, i32.add(address, 4));
      local.set(value, i32.add(value, 1));
    });
  });
const divide: AsmFunction = defineFunction({ in: ["i32", "i32", "i32"], out: [] }, (args) => {
  const [address, value] = args as [Local<"i32">, Local<"i32">];
  i32.store({}, address, i32.div_u(value, 0));
});

/** Item n writes at its own word; helpers write `factor * (1000 + n)`, the driver 1000 + n. */
async function crewOf(threads: number, helperFunction: AsmFunction) {
  const arena = new Arena(2 ** 24, { shared: true });
  const { compiled } = compileModule(arena.memory, { f: helperFunction });
  const driver = (address = 0, value = 0, count = 0) => {
    for (let n = 0; n < count; n++) arena.words[address / 4 + n] = value + n;
  };
  const crew = await Crew.start(threads, { kernels: [driver], folds: [] }, { kernels: compiled, folds: compiled });
  return { arena, crew };
}

const base = 4096;
const job = (items: number, itemsPerChunk = 1): KernelJob => ({
  ...{ kernel: 0, items, itemsPerChunk, counted: 2 },
  arguments: [base, 1000, items],
  steps: [4, 1, 0],
});
const written = (arena: Arena, count: number) => [...arena.words.subarray(base / 4, base / 4 + count)];
const thousands = (count: number) => Array.from({ length: count }, (_, n) => 1000 + n);
const lost = expect.objectContaining({ code: "machine.thread_lost" });

describe("a crew", () => {
  it.each([2, 5])("does every item of every job once, with %i threads", async (threads) => {
    const { arena, crew } = await crewOf(threads, writeWords(1));
    for (const items of [1, 2, 3, 7, 40, 300]) {
      for (let again = 0; again < 200; again++) {
        arena.words.fill(0);
        crew.run(job(items, 1 + (again % 3)));
        const expected = [...thousands(items), ...Array<number>(301 - items).fill(0)];
        expect(written(arena, 301).join(), `${items} items`).toBe(expected.join());
      }
    }
    crew.close();
  });

  it("has a helper do a job alone", async () => {
    const { arena, crew } = await crewOf(3, writeWords(7));
    for (const helper of crew.helpers) {
      crew.runOn(helper, job(3));
      expect(written(arena, 3)).toEqual([7000, 7007, 7014]);
      crew.run(job(3, 3));
    }
    crew.close();
  });

  it("fails the call in which a helper fails, and every later one", async () => {
    const { crew } = await crewOf(3, divide);
    expect(() => crew.runOn(1, job(3))).toThrow(lost);
    expect(() => crew.run(job(3))).toThrow(lost);
    expect(() => crew.runCalls()).toThrow(lost);
    crew.close();
  });

  it("does everything itself while a helper's end is not known, and fails once it is", async () => {
    const { arena, crew } = await crewOf(2, writeWords(1));
    crew.close();
    const run = () => crew.run(job(9));
    run();
    expect(written(arena, 9)).toEqual(thousands(9));
    await expect.poll(() => attempt(run)).toEqual(lost);
  });

  it("finds a helper whose kernels compute something else", async () => {
    const arena = new Arena(2 ** 24, { shared: true });
    const { kernels, exports, module } = compileKernelModule(arena.memory);
    const functions = { kernels: module.names.map((name) => exports[name] as () => number), folds: [] };
    const answersWith = async (names: string[]) => {
      const modules = { kernels: { ...module, names }, folds: module };
      const crew = await Crew.start(2, functions, modules);
      const ofHelper = kernelsOfHelper(kernels, module.names, crew, 0);
      const found = mismatches(matrixAnswers({ arena, kernels: ofHelper }));
      crew.close();
      return found;
    };
    expect((await answersWith(module.names)).get("matrix")).toBeUndefined();
    for (const kernel of ["dotRows", "dotRowsWide"] as const) {
      const wrong = exportName("pairs", kernel);
      const swapped = module.names.map((name) => (name === wrong ? exportName("pairs", "widenRow") : name));
      expect((await answersWith(swapped)).get("matrix")).toMatchObject({ code: "machine.kernel_mismatch" });
    }
  });
});

function attempt(work: () => void): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe("an engine's number of threads", () => {
  const program = () => {
    const p = programBuilder({ maxT: 4 });
    p.fold({ type: "i8" }, () => 1);
    return p.build();
  };

  it.each([0, -1, 1.5, 65, Number.NaN])("is refused where it is %d", async (threads) => {
    await expect(openWasmWith(program(), () => new Uint8Array(), { threads })).rejects.toMatchObject({
      code: "machine.threads_unavailable",
    });
  });

  it("must be 1 where memory cannot be shared", async () => {
    const shared = Object.getOwnPropertyDescriptor(globalThis, "SharedArrayBuffer") as PropertyDescriptor;
    Reflect.deleteProperty(globalThis, "SharedArrayBuffer");
    try {
      const opening = openWasmWith(program(), () => new Uint8Array(), { threads: 2 });
      await expect(opening).rejects.toMatchObject({ code: "machine.threads_unavailable" });
      expect((await openWasmWith(program(), () => new Uint8Array(), {})).usedBytes).toBeGreaterThan(0);
    } finally {
      Object.defineProperty(globalThis, "SharedArrayBuffer", shared);
    }
  });

  it("keeps no process alive, closed or not", async () => {
    const script = fileURLToPath(new URL("./leftOpen.ts", import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [script], { timeout: 30_000 });
    expect(stdout).toBe("1,1,1 1,1,1\n");
  });
});
