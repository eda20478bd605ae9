import type { ElementType } from "../program.ts";
import { i32, i64, type Locals, local, select } from "./asm.ts";
import { ofType, type Range, within } from "./ranges.ts";

/** Stores a scalar, saturated, from an address and an i64 on the stack. */
export function emitScalarStore(locals: Locals, type: ElementType, values: Range): void {
  const limits = ofType[type];
  if (!within(values, limits)) {
    const value = locals.i64();
    for (const [bound, isOver] of [
      [limits.hi, false],
      [limits.lo, true],
    ] as const) {
      local.set(value);
      local.get(value);
      i64.const(bound);
      if (isOver) i64.lt_s(bound, value);
      else i64.lt_s(value, bound);
      select();
    }
  }
  if (type === "i64") {
    i64.store({ align: 1 });
    return;
  }
  i32.wrap_i64();
  if (type === "i8") i32.store8({ align: 1 });
  if (type === "i16") i32.store16({ align: 1 });
  if (type === "i32") i32.store({ align: 1 });
}
