import { i16x8, i32, i32x4, type Local, local, v128 } from "../../asm.ts";
import { clear, definePacking, transpose } from "../packing.ts";
import { PANEL_ROWS } from "../panels.ts";

type Vector = Local<"v128">;

/** Behind a panel's columns: what its high sums are corrected by, an i32 a row. */
export const START_BYTES = PANEL_ROWS * 4;

export const packLimbs = definePacking((locals) => {
  const sums = Array.from({ length: PANEL_ROWS }, () => locals.v128());
  const spare = [locals.v128(), locals.v128()] as const;
  return {
    start: () => sums.forEach(clear),
    columns: (weights, at) => {
      weights.forEach((weight, n) => {
        i16x8.extadd_pairwise_i8x16_s(weight);
        i32x4.extadd_pairwise_i16x8_s();
        local.get(sums[n] as Vector);
        i32x4.add();
        local.set(sums[n] as Vector);
      });
      const [w0, w1, w2, w3, w4, w5, w6, w7] = weights;
      transpose([w0, w1, w2, w3], [w0, w1], { spare });
      transpose([w4, w5, w6, w7], [w4, w5], { spare });
      for (const [number, words] of [w0, w4, w1, w5].entries()) v128.store({ offset: number * 16 }, at, words);
    },
    end: (at) =>
      sums.forEach((sum, n) => {
        local.get(at);
        i32x4.extract_lane(0, sum);
        i32x4.extract_lane(1, sum);
        i32.add();
        i32.const(-128);
        i32.mul();
        i32.store({ offset: n * 4 });
      }),
  };
});
