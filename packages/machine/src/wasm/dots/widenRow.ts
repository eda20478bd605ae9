import { forLoop, i32, local, v128 } from "../asm.ts";
import { defineKernel } from "./kernel.ts";

/** Widens `count` i8 to i16; up to 7 elements more may be read and written. */
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
