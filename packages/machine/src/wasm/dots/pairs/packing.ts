import { i16x8, i32, local, v128 } from "../../asm.ts";
import { definePacking, shuffle, transpose } from "../packing.ts";

/** What a lane of two zeros holds. */
const ZERO_LANE = 0x0080;
const INTERLEAVED = [0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23];

export const packPairs = definePacking((locals) => {
  const spare = [locals.v128(), locals.v128()] as const;
  return {
    start: () => {},
    columns: ([w0, w1, w2, w3, w4, w5, w6, w7], at) => {
      for (const [low, high] of [
        [w0, w4],
        [w1, w5],
        [w2, w6],
        [w3, w7],
      ] as const) {
        shuffle(low, high, INTERLEAVED);
        local.set(low);
      }
      const steps = [w4, w5, w6, w7] as const;
      transpose([w0, w1, w2, w3], steps, { spare });
      steps.forEach((step, number) => {
        local.get(at);
        local.get(step);
        i32.const(ZERO_LANE);
        i16x8.splat();
        v128.xor();
        v128.store({ offset: number * 16 });
      });
    },
    end: () => {},
  };
});
