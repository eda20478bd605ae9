import {
  defineFunction,
  forLoop,
  i32,
  i32x4,
  instantiate,
  type Local,
  local,
  v128,
} from "../../packages/machine/src/wasm/asm.ts";
import { type WasmMemory, webAssembly } from "../../packages/machine/src/wasm/webassembly.ts";
import { cpuMs, interleaved, medians } from "./rounds.ts";

type Vector = Local<"v128">;

const PAGE = 65_536;
const STREAMS = 4;
/** Sums that do not wait for each other, as many as fit into registers beside an operand. */
const SUMS = 12;
const TURNS = 1_000_000;
/** Products of 16 by 8 bits in one instruction: eight, or of sixteen with one limb of two. */
const PRODUCTS = 8;

/**
 * What this machine allows from WebAssembly on one thread: reading as many bytes as the model has, as four streams, without
 * computing; and the products of both matrix kernels, of pairs of columns and of limbs, with everything in registers.
 */
export async function limits(modelBytes: number, rounds: number) {
  const quarter = Math.ceil(modelBytes / STREAMS / 64) * 64;
  const pages = Math.ceil((STREAMS * quarter) / PAGE) + 1;
  const memory = new webAssembly.Memory({ initial: pages, maximum: pages });
  new Uint8Array(memory.buffer).fill(1);
  const { read, pairs, limbs } = functions(memory);
  const times = await interleaved(
    {
      read: () => cpuMs(() => read(quarter)),
      pairs: () => cpuMs(() => pairs(TURNS)),
      limbs: () => cpuMs(() => limbs(TURNS)),
    },
    rounds,
  );
  const milliseconds = medians(times);
  // a multiplication and an addition are two operations
  const gigaops = (time: number) => (2 * PRODUCTS * SUMS * TURNS) / time / 1e6;
  return {
    milliseconds,
    readGigabytesPerSecond: (STREAMS * quarter) / milliseconds.read / 1e6,
    ...{ pairsGigaops: gigaops(milliseconds.pairs), limbsGigaops: gigaops(milliseconds.limbs) },
  };
}

function functions(memory: WasmMemory) {
  const exported = instantiate(memory, { read: readStreams, pairs: multiplyPairs, limbs: multiplyLimbs });
  return exported as unknown as Record<"read" | "pairs" | "limbs", (argument: number) => void>;
}

/** Argument: bytes of a stream, a multiple of 64. */
const readStreams = defineFunction({ in: ["i32"], out: [] }, ([quarter], locals) => {
  const bytes = quarter as Local<"i32">;
  const at = locals.i32();
  const streams = Array.from({ length: STREAMS }, () => ({ address: locals.i32(), sum: locals.v128() }));
  for (const [i, { address }] of streams.entries()) local.set(address, i32.mul(bytes, i));
  forLoop(at, bytes, 64, () => {
    for (const { address, sum } of streams) {
      for (const offset of [0, 16, 32, 48]) {
        v128.load({ offset }, address);
        local.get(sum);
        i32x4.add();
        local.set(sum);
      }
      local.set(address, i32.add(address, 64));
    }
  });
  keep(streams.map(({ sum }) => sum));
});

/** Leaves a new sum of the operand and each sum. Argument: turns. */
const multiply = (product: (operand: Vector, sum: Vector) => void) =>
  defineFunction({ in: ["i32"], out: [] }, ([turns], locals) => {
    const at = locals.i32();
    const operand = locals.v128();
    const sums = Array.from({ length: SUMS }, () => locals.v128());
    i32.const(0);
    v128.load({});
    local.set(operand);
    forLoop(at, turns as Local<"i32">, 1, () => {
      for (const sum of sums) {
        product(operand, sum);
        local.set(sum);
      }
    });
    keep(sums);
  });

/** Each sum is an operand of its own next product, so that none can be computed ahead of the loop. */
const multiplyPairs = multiply((operand, sum) => {
  local.get(sum);
  local.get(operand);
  i32x4.dot_i16x8_s();
  local.get(sum);
  i32x4.add();
});

const multiplyLimbs = multiply((operand, sum) => {
  for (const part of [operand, operand, sum]) local.get(part);
  i32x4.relaxed_dot_i8x16_i7x16_add_s();
});

/** Stores what was computed, so that it must be. */
function keep(vectors: readonly Vector[]): void {
  for (const [i, vector] of vectors.entries()) {
    i32.const(16 * i);
    local.get(vector);
    v128.store({});
  }
}
