import { i32x4, i64x2, local, v128 } from "../asm.ts";
import type { Node } from "../graph.ts";
import { isNarrow } from "../vectorForm.ts";
import { type LaneValues, LOW_WORDS } from "./lanes.ts";

/** 1 or 0. */
export function emitComparison(values: LaneValues, node: Node): void {
  pushMask(values, node);
  v128.const("i32x4", [1, 1, 1, 1]);
  v128.and();
  values.set32(node);
}

export function emitSelect(values: LaneValues, node: Node): void {
  const [predicate, a, b] = node.args as [Node, Node, Node];
  const mask = values.locals.v128();
  pushMask(values, predicate);
  local.set(mask);
  if (isNarrow(node)) {
    values.push32(a);
    values.push32(b);
    local.get(mask);
    v128.bitselect();
    values.set32(node);
    return;
  }
  const [x, y] = [values.wide(a), values.wide(b)];
  values.setWide(node, (half) => {
    local.get(x[half]);
    local.get(y[half]);
    local.get(mask);
    if (half === "low") i64x2.extend_low_i32x4_s();
    else i64x2.extend_high_i32x4_s();
    v128.bitselect();
  });
}

/** Pushes all ones in the 32-bit lanes whose value is not 0. A comparison's value need not have been computed. */
export function pushMask(values: LaneValues, node: Node): void {
  const known = values.masks.get(node);
  if (known !== undefined) {
    local.get(known);
    return;
  }
  const isInside = node.level >= values.loop.level;
  if (isInside && (node.op === "eq" || node.op === "lt")) compare(values, node.op, node.args);
  else if (isNarrow(node)) {
    values.push32(node);
    v128.const("i32x4", [0, 0, 0, 0]);
    i32x4.ne();
  } else {
    const wide = values.wide(node);
    const halves = values.wideTemporary((half) => {
      local.get(wide[half]);
      v128.const("i64x2", [0n, 0n]);
      i64x2.ne();
    });
    values.pushWords(halves, LOW_WORDS);
  }
  const mask = values.locals.v128();
  local.tee(mask);
  values.masks.set(node, mask);
}

function compare(values: LaneValues, op: "eq" | "lt", operands: readonly Node[]): void {
  const [a, b] = operands as [Node, Node];
  if (isNarrow(a) && isNarrow(b)) {
    values.push32(a);
    values.push32(b);
    if (op === "eq") i32x4.eq();
    else i32x4.lt_s();
    return;
  }
  const [x, y] = [values.wide(a), values.wide(b)];
  const halves = values.wideTemporary((half) => {
    local.get(y[half]);
    local.get(x[half]);
    if (op === "eq") i64x2.eq();
    else i64x2.gt_s();
  });
  values.pushWords(halves, LOW_WORDS);
}
