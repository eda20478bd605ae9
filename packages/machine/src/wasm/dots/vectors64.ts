import { i64x2, type Local, local } from "../asm.ts";

type Vector = Local<"v128">;

/** Pushes two of four 32-bit lanes as 64-bit ones. */
export function extend(vector: Vector, half: "low" | "high"): void {
  local.get(vector);
  if (half === "low") i64x2.extend_low_i32x4_s();
  else i64x2.extend_high_i32x4_s();
}
