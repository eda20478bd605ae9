import { forLoop, i8x16, i16x8, i32, local, v128 } from "../../asm.ts";
import { defineKernel } from "../kernel.ts";

/** Of eight lanes: low bytes of four, high bytes of four, and again. */
const LIMBS = [0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15] as const;

/** Splits rows into limbs, four columns in eight bytes, and writes to the second word of each where they are. */
export const splitRows = defineKernel(
  ["table", "rows", "columns", "scratch", "scratchBytes"],
  [],
  ({ table, rows, columns, scratch, scratchBytes }, locals) => {
    const [m, k, x, bytes] = [locals.i32(), locals.i32(), locals.i32(), locals.i32()];
    const limbs = locals.v128();
    local.set(bytes, i32.shl(columns, 1));
    forLoop(m, rows, 1, () => {
      i32.load({}, table);
      local.set(x);
      i32.store({ offset: 4 }, table, scratch);
      forLoop(k, bytes, 16, () => {
        i32.add(scratch, k);
        i32.add(x, k);
        v128.load({ align: 1 });
        i32.const(-32_768);
        i16x8.splat();
        v128.xor();
        local.tee(limbs);
        local.get(limbs);
        i8x16.shuffle([...LIMBS]);
        v128.store({ align: 1 });
      });
      local.set(table, i32.add(table, 8));
      local.set(scratch, i32.add(scratch, scratchBytes));
    });
  },
);
