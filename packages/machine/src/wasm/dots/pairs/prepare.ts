import { forLoop, i16x8, i32, i32x4, local, loopWhileBelow, v128 } from "../../asm.ts";
import { defineKernel } from "../kernel.ts";
import { clear } from "../packing.ts";

/** Writes to the second word of each row what its low sums start from. */
export const balanceRows = defineKernel(
  ["table", "rows", "columns", "scratch", "scratchBytes"],
  [],
  ({ table, rows, columns }, locals) => {
    const [m, x, end] = [locals.i32(), locals.i32(), locals.i32()];
    const sum = locals.v128();
    forLoop(m, rows, 1, () => {
      i32.load({}, table);
      local.tee(x);
      i32.shl(columns, 1);
      i32.add();
      local.set(end);
      clear(sum);
      loopWhileBelow(x, end, 16, () => {
        v128.load({ align: 1 }, x);
        i32.const(-128);
        i16x8.splat();
        i32x4.dot_i16x8_s();
        local.get(sum);
        i32x4.add();
        local.set(sum);
      });
      local.get(table);
      i32x4.extract_lane(0, sum);
      for (const lane of [1, 2, 3] as const) {
        i32x4.extract_lane(lane, sum);
        i32.add();
      }
      i32.store({ offset: 4 });
      local.set(table, i32.add(table, 8));
    });
  },
);
