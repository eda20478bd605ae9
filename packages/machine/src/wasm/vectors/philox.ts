import { PHILOX_MULTIPLIERS, PHILOX_WEYL } from "../arithmetic.ts";
import { i8x16, i32, i32x4, i64x2, local, v128 } from "../asm.ts";
import type { Node } from "../graph.ts";
import type { VectorLoop } from "../vectorForm.ts";
import { HIGH_WORDS, type LaneValues, LOW_WORDS, type Vector, type Wide } from "./lanes.ts";

const ROUNDS = 10;
const FIRST_LANES = [0, 1, 2, 3, 16, 17, 18, 19, 0, 1, 2, 3, 16, 17, 18, 19] as const;
const FIRST_LANES_HIGH = FIRST_LANES.map((byte) => byte + 4);
/** Words a0 b0 a1 b1 and a2 b2 a3 b3 of two vectors. */
const JOINED = {
  low: [0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23],
  high: [8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31],
} as const;

/**
 * Philox4x32-10 of four counters, or of two where neighbouring lanes share theirs. A word of every counter is a vector of
 * 32-bit lanes; its products with a multiplier are 64-bit lanes.
 */
export function emitPhilox(values: LaneValues, node: Node): void {
  const { locals } = values;
  const isShared = node.args.every((arg) => isSharedByPairs(arg, values.loop));
  const [lowWords, highWords] = isShared ? [FIRST_LANES, FIRST_LANES_HIGH] : [LOW_WORDS, HIGH_WORDS];
  const [x0, x1, x2, x3, k0, k1] = node.args.flatMap((arg): Vector[] => {
    const wide = values.wide(arg);
    return [lowWords, highWords].map((words) => {
      const word = locals.v128();
      values.pushWords(wide, words);
      local.set(word);
      return word;
    });
  }) as [Vector, Vector, Vector, Vector, Vector, Vector];
  const multiplied = (word: Vector, multiplier: bigint): Wide => {
    const splat = locals.v128();
    i32.const(Number(BigInt.asIntN(32, multiplier)));
    i32x4.splat();
    local.set(splat);
    if (!isShared)
      return values.wideTemporary((half) => {
        if (half === "low") i64x2.extmul_low_i32x4_u(word, splat);
        else i64x2.extmul_high_i32x4_u(word, splat);
      });
    const product = locals.v128();
    i64x2.extmul_low_i32x4_u(word, splat);
    local.set(product);
    return { low: product, high: product };
  };
  for (let round = 0; round < ROUNDS; round++) {
    const [first, second] = [multiplied(x0, PHILOX_MULTIPLIERS[0]), multiplied(x2, PHILOX_MULTIPLIERS[1])];
    for (const [product, word, key, into] of [
      [second, x1, k0, x0],
      [first, x3, k1, x2],
    ] as const) {
      values.pushWords(product, HIGH_WORDS);
      v128.xor(word, key);
      v128.xor();
      local.set(into);
    }
    for (const [product, into] of [
      [second, x1],
      [first, x3],
    ] as const) {
      values.pushWords(product, LOW_WORDS);
      local.set(into);
    }
    if (round + 1 < ROUNDS)
      for (const [key, step] of [
        [k0, PHILOX_WEYL[0]],
        [k1, PHILOX_WEYL[1]],
      ] as const) {
        local.get(key);
        i32.const(Number(BigInt.asIntN(32, step)));
        i32x4.splat();
        i32x4.add();
        local.set(key);
      }
  }
  if (!isShared) {
    values.setWide(node, (half) => {
      local.get(x0);
      local.get(x1);
      i8x16.shuffle([...JOINED[half]]);
    });
    return;
  }
  const pair = locals.v128();
  local.get(x0);
  local.get(x1);
  i8x16.shuffle([...JOINED.low]);
  local.set(pair);
  values.setWide(node, (half) => {
    if (half === "low") i64x2.extract_lane(0, pair);
    else i64x2.extract_lane(1, pair);
    i64x2.splat();
  });
}

/** Whether lanes 0 and 1, and lanes 2 and 3, always hold the same value: turns start at multiples of four. */
function isSharedByPairs(node: Node, loop: VectorLoop): boolean {
  if (node.level < loop.level) return true;
  const [a, b] = node.args;
  if (a === undefined || node.op === "load") return false;
  const dropsLowBit = node.op === "and" && b?.op === "literal" && (b.value & 1n) === 0n && a.op === loop.variable;
  return dropsLowBit || node.args.every((arg) => isSharedByPairs(arg, loop));
}
