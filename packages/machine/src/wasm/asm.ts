import { br_if, type Func, func, i32, if_, importMemory, local, loop, Module } from "wasmati";
import { isShared, type WasmExports, type WasmMemory, webAssembly } from "./webassembly.ts";

/**
 * The one door to wasmati. Three habits of 0.2.4 matter here: `i32.gt_s` and `i64.gt_s` encode the unsigned comparison, so
 * signed "greater" is always written as `lt_s` with its operands swapped; `v128.const` takes no negative numbers, which are
 * splat instead; and locals are declared before a body is written, so `defineFunction` writes each body twice, first to
 * count them.
 */
export {
  block,
  br,
  br_if,
  call,
  drop,
  f64,
  f64x2,
  i8x16,
  i16x8,
  i32,
  i32x4,
  i64,
  i64x2,
  if_,
  local,
  loop,
  return_,
  select,
  v128,
} from "wasmati";

export type ValueKind = "i32" | "i64" | "f64" | "v128";
export type Local<K extends ValueKind = ValueKind> = { kind: "local"; type: K; index: number };
/** A function of the module under construction, to be called or exported. */
export type AsmFunction = Func<ValueKind[], ValueKind[]>;

/** Hands out fresh locals while a body is written. */
export type Locals = { i32(): Local<"i32">; i64(): Local<"i64">; f64(): Local<"f64">; v128(): Local<"v128"> };

const KINDS = ["i32", "i64", "f64", "v128"] as const;

/** Writes a function whose body takes as many locals as it likes. The body runs twice and must do the same both times. */
export function defineFunction(
  signature: { in: ValueKind[]; out: ValueKind[] },
  body: (args: Local[], locals: Locals) => void,
): AsmFunction {
  const types = (kinds: readonly ValueKind[]) => kinds.map((kind) => ({ kind })) as [];
  const write = (counts: Record<ValueKind, number>, used: Record<ValueKind, number>) => {
    const declared = KINDS.flatMap((kind) => Array<ValueKind>(counts[kind]).fill(kind));
    return func(
      { in: types(signature.in), locals: types(declared), out: types(signature.out) },
      (args: readonly unknown[], locals: readonly unknown[]) => {
        const start = {
          i32: 0,
          i64: counts.i32,
          f64: counts.i32 + counts.i64,
          v128: counts.i32 + counts.i64 + counts.f64,
        };
        const fresh = (kind: ValueKind) => locals[start[kind] + used[kind]++] as Local;
        body(args as Local[], {
          i32: () => fresh("i32") as Local<"i32">,
          i64: () => fresh("i64") as Local<"i64">,
          f64: () => fresh("f64") as Local<"f64">,
          v128: () => fresh("v128") as Local<"v128">,
        });
      },
    );
  };
  for (const counts of FIRST_COUNTS) {
    const used = { i32: 0, i64: 0, f64: 0, v128: 0 };
    try {
      write(counts, used);
    } catch (error) {
      if (KINDS.every((kind) => used[kind] <= counts[kind])) throw error;
      continue; // it wanted a local that was not declared
    }
    return write(used, { i32: 0, i64: 0, f64: 0, v128: 0 }) as AsmFunction;
  }
  throw new Error("a function needs more locals than there are");
}

/** Locals that are declared while those of a function are counted. wasmati takes long over many: most functions use few. */
const FIRST_COUNTS: Record<ValueKind, number>[] = [
  { i32: 64, i64: 64, f64: 4, v128: 64 },
  { i32: 4096, i64: 4096, f64: 64, v128: 1024 },
];

/** What another thread needs to have the same functions over the same memory. */
export type CompiledModule = { module: object; imports: object; names: string[] };

/** Instantiates functions over one memory. Synchronous: engines live in worker threads. */
export const instantiate = (memory: WasmMemory, functions: Record<string, AsmFunction>): WasmExports =>
  compileModule(memory, functions).exports;

export function compileModule(
  memory: WasmMemory,
  functions: Record<string, AsmFunction>,
): { exports: WasmExports; compiled: CompiledModule } {
  const imported = importMemory({ min: 1, max: 65536, shared: isShared(memory) }, memory);
  const { importMap, toBytes } = Module({ exports: functions, memory: imported });
  const module = new webAssembly.Module(toBytes());
  const exports = new webAssembly.Instance(module, importMap).exports as WasmExports;
  return { exports, compiled: { module, imports: importMap, names: Object.keys(functions) } };
}

/** Whether this machine has the instructions of some functions. */
export const isSupported = (functions: Record<string, AsmFunction>): boolean => {
  const imported = importMemory({ min: 1, max: 65536 });
  return webAssembly.validate(Module({ exports: functions, memory: imported }).toBytes());
};

/** `for (counter = 0; counter < end; counter += step) body()`; `end` and `counter` are unsigned. Clobbers nothing else. */
export function forLoop(counter: Local<"i32">, end: Local<"i32">, step: number, body: () => void): void {
  i32.const(0);
  local.set(counter);
  loopWhileBelow(counter, end, step, body);
}

/** As `forLoop`, from the counter's present value. */
export function loopWhileBelow(counter: Local<"i32">, end: Local<"i32">, step: number, body: () => void): void {
  i32.lt_u(counter, end);
  if_(null, () => {
    loop(null, (again) => {
      body();
      i32.add(counter, step);
      local.tee(counter);
      local.get(end);
      i32.lt_u();
      br_if(again);
    });
  });
}
