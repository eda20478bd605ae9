import { i32, i32x4, i64x2, local, v128 } from "../asm.ts";
import type { Node } from "../graph.ts";
import { isNarrow, log2 } from "../vectorForm.ts";
import type { LaneValues, Vector } from "./lanes.ts";
import { emitPowerProduct } from "./shifts.ts";

/** Lane by lane: in 32 bits where the result fits, else in 64. */
export function emitLanewise(values: LaneValues, node: Node, [narrow, wide]: [() => void, () => void]): void {
  const [a, b] = node.args as [Node, Node];
  if (isNarrow(node)) {
    values.push32(a);
    values.push32(b);
    narrow();
    values.set32(node);
    return;
  }
  const [x, y] = [values.wide(a), values.wide(b)];
  values.setWide(node, (half) => {
    local.get(x[half]);
    local.get(y[half]);
    wide();
  });
}

/** i32 arithmetic of addresses, which wraps. */
export function emitAddress(values: LaneValues, node: Node & { op: "wrap" | "add32" | "mul32" | "scale32" }): void {
  for (const arg of node.args) values.push32(arg);
  if (node.op === "add32") i32x4.add();
  if (node.op === "mul32") i32x4.mul();
  if (node.op === "scale32") {
    const isPower = (node.factor & (node.factor - 1)) === 0;
    i32.const(isPower ? Math.log2(node.factor) : node.factor);
    if (isPower) i32x4.shl();
    else {
      i32x4.splat();
      i32x4.mul();
    }
  }
  values.set32(node);
}

export function emitProduct(values: LaneValues, node: Node): void {
  const [a, b] = node.args as [Node, Node];
  const power = b.op === "literal" ? log2(b.value) : undefined;
  if (power !== undefined) {
    emitPowerProduct(values, node, power);
    return;
  }
  const [x, y] = [values.lanes(a), values.lanes(b)];
  if (isNarrow(node) || x.bits !== 32 || y.bits !== 32) {
    emitLanewise(values, node, [() => i32x4.mul(), () => i64x2.mul()]);
    return;
  }
  values.setWide(node, (half) => {
    local.get(x.all);
    local.get(y.all);
    if (half === "low") i64x2.extmul_low_i32x4_s();
    else i64x2.extmul_high_i32x4_s();
  });
}

export function emitExtremum(values: LaneValues, node: Node, op: "min" | "max"): void {
  const [a, b] = node.args as [Node, Node];
  if (isNarrow(a) && isNarrow(b)) {
    values.push32(a);
    values.push32(b);
    if (op === "min") i32x4.min_s();
    else i32x4.max_s();
    values.set32(node);
    return;
  }
  const [x, y] = [values.wide(a), values.wide(b)];
  values.setWide(node, (half) => {
    pushExtremum64(op, x[half], y[half]);
  });
}

/** Pushes the smaller or larger of each pair of 64-bit lanes: WebAssembly has no operation for it. */
export function pushExtremum64(op: "min" | "max", a: Vector, b: Vector): void {
  local.get(a);
  local.get(b);
  if (op === "min") i64x2.gt_s(b, a);
  else i64x2.gt_s(a, b);
  v128.bitselect();
}
