import { BYTES } from "../../program.ts";
import { type AsmFunction, defineFunction, i32, i64x2, instantiate, type Local, local, v128 } from "../asm.ts";
import { BLOCK_COLUMNS, emitBlockDot } from "../blockDot.ts";
import { emitRunDot, type RunForm } from "../runDot.ts";
import { webAssembly } from "../webassembly.ts";
import { type KnownAnswer, mismatch } from "./knownAnswer.ts";
import { values } from "./values.ts";

/** Turns of eight terms that a lane holds: fewer than the longest run has, as many, twice and many times as many. */
const RUN_FORMS: RunForm[] = [
  { left: "i16", right: "i8", turns: 2 },
  { left: "i8", right: "i16", turns: 5 },
  { left: "i16", right: "i8", turns: 10 },
  { left: "i16", right: "i16", turns: 1 },
  { left: "i8", right: "i8", turns: 1000 },
];
const COUNTS = [1, 7, 8, 9, 24, 39];
/** Whole turns, and turns with a rest, that are written out. */
const FIXED_COUNTS = [24, 39];
const LINES = 2;

/** Compiled once for all engines of a thread, over memories of their own: that takes longer than to ask them. */
export const runAnswers = (): KnownAnswer[] => {
  answers ??= RUN_FORMS.map(runAnswer);
  return answers;
};
let answers: KnownAnswer[] | undefined;

function runAnswer(form: RunForm): KnownAnswer {
  const memory = new webAssembly.Memory({ initial: 1, maximum: 1 });
  const view = new DataView(memory.buffer);
  const one = defineFunction({ in: ["i32", "i32", "i32"], out: ["i64"] }, (args, locals) => {
    const [left, right, count] = args as [Address, Address, Address];
    const sum = locals.i64();
    emitRunDot(locals, form, { left, right, count, sum });
    local.get(sum);
  });
  const blocks = FIXED_COUNTS.map((count) => [`fixed${count}`, blockOf(form, { most: count, isFixed: true })]);
  const varying = blockOf(form, { most: Math.max(...COUNTS), isFixed: false });
  const kernels = instantiate(memory, { one, varying, ...Object.fromEntries(blocks) });
  const numbers = (type: RunForm["left"], seed: number) => {
    const next = values(type === "i8" ? 8 : 16, seed);
    // -32,768 squared twice is the one sum of a turn that no lane holds: ranges exclude it
    return Array.from({ length: 48 }, () => Math.max(next.next().value, type === "i16" ? -32_767 : -128));
  };
  const [a, b] = [numbers(form.left, 2), numbers(form.right, 3)];
  const call = (name: string, ...args: number[]): unknown =>
    Reflect.apply(kernels[name] as () => number, undefined, args);
  const compare = (kernel: string, at: { count: number; line: number; column: number }, actual: unknown) => {
    let expected = 0n;
    for (let k = 0; k < at.count; k++) expected += BigInt((a[k + at.line] as number) * (b[k + at.column] as number));
    if (actual !== expected)
      throw mismatch(kernel, { ...form, ...at, actual: String(actual), expected: String(expected) });
  };
  const check = () => {
    const write = (type: RunForm["left"], offset: number, elements: number[]) => {
      for (const [at, value] of elements.entries())
        if (type === "i8") view.setInt8(offset + at, value);
        else view.setInt16(offset + at * 2, value, true);
    };
    write(form.left, 0, a);
    write(form.right, 128, b);
    for (const count of COUNTS) {
      compare("dot of runs", { count, line: 0, column: 0 }, call("one", 0, 128, count));
      for (const name of ["varying", ...(FIXED_COUNTS.includes(count) ? [`fixed${count}`] : [])]) {
        call(name, 0, 128, count, 256);
        for (let at = 0; at < LINES * BLOCK_COLUMNS; at++) {
          const [line, column] = [Math.floor(at / BLOCK_COLUMNS), at % BLOCK_COLUMNS];
          compare("dots of a block", { count, line, column }, view.getBigInt64(256 + at * 8, true));
        }
      }
    }
  };
  return { family: "runs", check };
}

/** Lines and columns begin one element after the other; all lines have the same right runs. Stores the sums as i64. */
function blockOf(form: RunForm, of: { most: number; isFixed: boolean }): AsmFunction {
  return defineFunction({ in: ["i32", "i32", "i32", "i32"], out: [] }, (args, locals) => {
    const [left, right, count, out] = args as [Address, Address, Address, Address];
    const shifted = (start: Address, bytes: number) => {
      const address = locals.i32();
      local.set(address, i32.add(start, bytes));
      return address;
    };
    const runs = {
      left: Array.from({ length: LINES }, (_, line) => [shifted(left, line * BYTES[form.left])]),
      right: [Array.from({ length: BLOCK_COLUMNS }, (_, column) => shifted(right, column * BYTES[form.right]))],
    };
    const sums = emitBlockDot(locals, form, { ...runs, lines: LINES, count, ...of });
    for (const [line, lanes] of sums.entries())
      for (const half of ["low", "high"] as const) {
        local.get(out);
        if ("all" in lanes) {
          local.get(lanes.all);
          if (half === "low") i64x2.extend_low_i32x4_s();
          else i64x2.extend_high_i32x4_s();
        } else local.get(lanes[half]);
        v128.store({ align: 1, offset: line * 32 + (half === "low" ? 0 : 16) });
      }
  });
}

type Address = Local<"i32">;
