import { forLoop, i16x8, i32, i32x4, i64x2, local, loopWhileBelow, v128 } from "../asm.ts";
import { defineKernel } from "./kernel.ts";

/** Widens `count` i8 to i16. Arguments: source, target, count; both may be read and written up to 7 elements beyond. */
export const widenRow = defineKernel(["source", "target", "count"], [], ({ source, target, count }, locals) => {
  const at = locals.i32();
  forLoop(at, count, 8, () => {
    i32.shl(at, 1);
    local.get(target);
    i32.add();
    i32.add(source, at);
    v128.load8x8_s({ align: 1 });
    v128.store({ align: 1 });
  });
});

/**
 * What low rows of a panel start from, since their bytes count 128 too much: -128 times the sum of the activations.
 * Arguments: table of rows (address, then what this function writes there; u32 each), rows, bytes of a row to read, a
 * multiple of 16.
 */
export const balanceRows = defineKernel(["table", "rows", "rowBytes"], [], ({ table, rows, rowBytes }, locals) => {
  const [m, entry, x, end] = [locals.i32(), locals.i32(), locals.i32(), locals.i32()];
  const sum = locals.v128();
  local.set(entry, table);
  forLoop(m, rows, 1, () => {
    i32.load({}, entry);
    local.set(x);
    local.set(end, i32.add(x, rowBytes));
    v128.const("i32x4", [0, 0, 0, 0]);
    local.set(sum);
    loopWhileBelow(x, end, 16, () => {
      v128.load({ align: 1 }, x);
      i32.const(-128);
      i16x8.splat();
      i32x4.dot_i16x8_s();
      local.get(sum);
      i32x4.add();
      local.set(sum);
    });
    local.get(entry);
    i32x4.extract_lane(0, sum);
    for (const lane of [1, 2, 3] as const) {
      i32x4.extract_lane(lane, sum);
      i32.add();
    }
    i32.store({ offset: 4 });
    local.set(entry, i32.add(entry, 8));
  });
});

/** Adds `count` i32 (a multiple of 4) to i64 sums. Arguments: source, target, count. */
export const widenSums = defineKernel(["source", "target", "count"], [], ({ source, target, count }, locals) => {
  const at = locals.i32();
  const address = locals.i32();
  forLoop(at, count, 2, () => {
    i32.shl(at, 3);
    local.get(target);
    i32.add();
    local.tee(address);
    i32.shl(at, 2);
    local.get(source);
    i32.add();
    v128.load32x2_s({ align: 1 });
    local.get(address);
    v128.load({ align: 1 });
    i64x2.add();
    v128.store({ align: 1 });
  });
});
