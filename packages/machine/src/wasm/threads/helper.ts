// A helping thread: it sleeps until the driver posts a job, takes chunks of it, and says when it is done.
import type { CompiledModule } from "../asm.ts";
import { type WasmExports, webAssembly } from "../webassembly.ts";
import { type Functions, runChunks } from "./chunks.ts";
import { STATE, spinWhile, stateOf } from "./control.ts";
import { Hope } from "./hope.ts";
import { startOfHelper } from "./workers.ts";

const { start, ready } = await startOfHelper();
const { control } = start;
const state = stateOf(start.helper);
const functions: Functions = { kernels: functionsOf(start.kernels), folds: functionsOf(start.folds) };
const spinning = new Hope();
ready();
for (;;) {
  waitForJob();
  help();
}

function functionsOf({ module, imports, names }: CompiledModule): WasmExports[string][] {
  const exports = new webAssembly.Instance(module, imports).exports as WasmExports;
  return names.map((name) => exports[name] as WasmExports[string]);
}

function waitForJob(): void {
  while (Atomics.load(control, state) === STATE.idle) {
    if (spinning.isWorthTrying()) {
      const hasCome = spinWhile(control, state, STATE.idle) !== STATE.idle;
      spinning.tried(hasCome);
      if (hasCome) return;
    }
    if (Atomics.compareExchange(control, state, STATE.idle, STATE.asleep) === STATE.idle)
      Atomics.wait(control, state, STATE.asleep);
  }
}

function help(): void {
  if (Atomics.compareExchange(control, state, STATE.posted, STATE.running) !== STATE.posted) return;
  let next: number = STATE.lost;
  try {
    if (runChunks(control, functions) > 0) spinning.tried(true); // the driver is at work, and soon posts the next one
    next = STATE.idle;
  } finally {
    if (Atomics.exchange(control, state, next) === STATE.awaited) Atomics.notify(control, state);
  }
}
