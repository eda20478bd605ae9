import { emitArgmaxOfRun, type RunOfArgmax } from "../argmaxOfRun.ts";
import { type AsmFunction, defineFunction, i32, i64, instantiate, type Local, local } from "../asm.ts";
import { ofType } from "../ranges.ts";
import { webAssembly } from "../webassembly.ts";
import { type KnownAnswer, mismatch } from "./knownAnswer.ts";
import { values } from "./values.ts";

const TYPES = ["i16", "i32"] as const;
const COUNTS = [4, 16, 20, 36];

/**
 * The argmax of neighbouring elements, of which many are the greatest. Compiled once for all engines of a thread, over a
 * memory of its own.
 */
export const argmaxAnswers = (): KnownAnswer[] => {
  answers ??= [argmaxAnswer()];
  return answers;
};
let answers: KnownAnswer[] | undefined;

function argmaxAnswer(): KnownAnswer {
  const memory = new webAssembly.Memory({ initial: 1, maximum: 1 });
  const view = new DataView(memory.buffer);
  const kernels = instantiate(memory, Object.fromEntries(TYPES.map((type) => [type, argmaxOf(type)])));
  const next = values(16, 1);
  const elements = Array.from({ length: Math.max(...COUNTS) }, () => next.next().value);
  const check = () => {
    for (const type of TYPES) {
      for (const [at, value] of elements.entries())
        if (type === "i16") view.setInt16(at * 2, value, true);
        else view.setInt32(at * 4, value, true);
      for (const count of COUNTS) {
        const expected = elements.indexOf(Math.max(...elements.slice(0, count)));
        const actual = kernels[type]?.(0, count);
        if (actual !== expected) throw mismatch("argmaxOfRun", { type, count, actual, expected });
      }
    }
  };
  return { family: "vectors", check };
}

function argmaxOf(type: RunOfArgmax["type"]): AsmFunction {
  return defineFunction({ in: ["i32", "i32"], out: ["i32"] }, (args, locals) => {
    const [base, end] = args as [Local<"i32">, Local<"i32">];
    const [best, at, counter] = [locals.i64(), locals.i32(), locals.i32()];
    local.set(best, i64.const(ofType[type].lo));
    local.set(at, i32.const(0));
    local.set(counter, i32.const(0));
    emitArgmaxOfRun({ locals, run: { type, range: ofType[type] }, base, counter, end }, { best, at });
    local.get(at);
  });
}
