import { defineFunction, i8x16, i32x4, instantiate, isSupported, type Local, v128 } from "../../src/wasm/asm.ts";
import { Arena } from "../../src/wasm/memory.ts";

const code = defineFunction({ in: ["i32", "i32"], out: ["i32"] }, (args) => {
  const [weight, limb] = args as [Local<"i32">, Local<"i32">];
  i8x16.splat(weight);
  i8x16.splat(limb);
  v128.const("i32x4", [7, 7, 7, 7]);
  i32x4.relaxed_dot_i8x16_i7x16_add_s();
  i32x4.extract_lane(3);
});

/** Whether this machine's relaxed dot product takes unsigned bytes as they are and does not saturate. */
export function relaxedDotTakesBytes(): boolean {
  if (!isSupported({ code })) return false;
  const exports = instantiate(new Arena(2 ** 20).memory, { code });
  return [-128, 127].every((weight) => exports.code?.(weight, 255) === 4 * weight * 255 + 7);
}
