// Loaded before everything else (`node --import`): a WebAssembly whose matrix products come out wrong after a while, as do
// those of a compiler that replaces good code by bad.
const GOOD_CALLS = 300;
/** Among the operands of a product of matrices. */
const OUT = 6;

type Functions = Record<string, (...operands: number[]) => unknown>;
type Memory = { buffer: ArrayBuffer };
type Api = {
  Instance: new (module: object, imports: object) => { exports: Functions };
  Memory: new (...limits: never[]) => Memory;
};

const api: Api = Reflect.get(globalThis, "WebAssembly");
const { Instance } = api;

class WearingInstance {
  readonly exports: Functions;

  constructor(module: object, imports: object = {}) {
    const exports = new Instance(module, imports).exports;
    const memory = Object.values(imports)
      .flatMap((group: object) => Object.values(group))
      .find((value): value is Memory => value instanceof api.Memory);
    const isWearing = (name: string) => memory !== undefined && name.endsWith(".dotRows");
    const entries = Object.entries(exports);
    this.exports = entries.some(([name]) => isWearing(name))
      ? Object.fromEntries(entries.map(([name, code]) => [name, isWearing(name) ? wearing(code, memory) : code]))
      : exports;
  }
}

function wearing(
  code: (...operands: number[]) => unknown,
  memory: Memory | undefined,
): (...operands: number[]) => void {
  let calls = 0;
  return (...operands) => {
    code(...operands);
    const sums = new Int32Array(memory?.buffer ?? new ArrayBuffer(0), operands[OUT], 1);
    if (calls++ >= GOOD_CALLS) sums[0] = (sums[0] ?? 0) ^ 0x4000;
  };
}

Reflect.set(api, "Instance", WearingInstance);
