import { BYTES } from "../../program.ts";
import { defineFunction, i32, instantiate, type Local, local, v128 } from "../asm.ts";
import { emitBlockDot, emitRunDot, needsNoFlush, type RunForm } from "../runDot.ts";
import { type Bench, type KnownAnswer, mismatch } from "./knownAnswer.ts";
import { values } from "./values.ts";

const RUN_FORMS: RunForm[] = [
  { left: "i16", right: "i8", turns: 2 },
  { left: "i16", right: "i16", turns: 1 },
  { left: "i8", right: "i8", turns: 1000 },
];

export const runAnswers = (bench: Bench): KnownAnswer[] => RUN_FORMS.map((form) => runAnswer(bench, form));

function runAnswer({ arena }: Bench, form: RunForm): KnownAnswer {
  const one = defineFunction({ in: ["i32", "i32", "i32"], out: ["i64"] }, (args, locals) => {
    const [left, right, count] = args as [Address, Address, Address];
    const sum = locals.i64();
    emitRunDot(locals, form, { left, right, count, sum });
    local.get(sum);
  });
  const four = defineFunction({ in: ["i32", "i32", "i32", "i32"], out: [] }, (args, locals) => {
    const [left, right, count, out] = args as [Address, Address, Address, Address];
    const columns = [0, 1, 2, 3].map((column) => {
      const address = locals.i32();
      local.set(address, i32.add(right, column * BYTES[form.right]));
      return address;
    });
    const { low, high } = emitBlockDot(locals, form, { left: [left], right: columns, count, fixed: undefined });
    v128.store({ align: 1 }, out, low);
    v128.store({ align: 1, offset: 16 }, out, high);
  });
  const kernels = instantiate(arena.memory, { one, four });
  const block = arena.allocate(512);
  const numbers = (type: RunForm["left"], seed: number) => {
    const next = values(type === "i8" ? 8 : 16, seed);
    // -32,768 squared twice is the one sum of a turn that no lane holds: ranges exclude it
    return Array.from({ length: 48 }, () => Math.max(next.next().value, type === "i16" ? -32_767 : -128));
  };
  const [a, b] = [numbers(form.left, 2), numbers(form.right, 3)];
  const call = (name: "one" | "four", ...args: number[]): unknown =>
    Reflect.apply(kernels[name] as () => number, undefined, args);
  const compare = (kernel: string, count: number, column: number, actual: unknown) => {
    const expected = a.slice(0, count).reduce((sum, value, at) => sum + BigInt(value * (b[at + column] as number)), 0n);
    if (actual !== expected)
      throw mismatch(kernel, { ...form, count, column, actual: String(actual), expected: String(expected) });
  };
  const check = () => {
    const view = new DataView(arena.memory.buffer, block, 512);
    const write = (type: RunForm["left"], offset: number, elements: number[]) => {
      for (const [at, value] of elements.entries())
        if (type === "i8") view.setInt8(offset + at, value);
        else view.setInt16(offset + at * 2, value, true);
    };
    write(form.left, 0, a);
    write(form.right, 128, b);
    for (const count of [1, 7, 8, 9, 24, 39]) {
      compare("dot of runs", count, 0, call("one", block, block + 128, count));
      if (!needsNoFlush(form, count)) continue;
      call("four", block, block + 128, count, block + 256);
      for (const column of [0, 1, 2, 3])
        compare("dot of four runs", count, column, view.getBigInt64(256 + column * 8, true));
    }
  };
  return { family: "runs", check };
}

type Address = Local<"i32">;
