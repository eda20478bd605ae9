import { i16x8, i32, i32x4, i64, i64x2, local, v128 } from "../asm.ts";
import type { Node } from "../graph.ts";
import { runOf } from "../vectorForm.ts";
import type { LaneValues } from "./lanes.ts";

type Load = Node & { op: "load" };
const LOG2_BYTES = { i8: 0, i16: 1, i32: 2, i64: 3 } as const;

export function emitLoad(values: LaneValues, node: Load): void {
  const run = runOf(node, values.loop);
  if (run === undefined) gather(values, node);
  else loadRun(values, node, run);
}

/** Four neighbours from the counter on. */
function loadRun(values: LaneValues, node: Load, run: Node): void {
  const address = values.locals.i32();
  values.scalar(run);
  local.get(values.counters[values.loop.variable]);
  if (node.type !== "i8") {
    i32.const(LOG2_BYTES[node.type]);
    i32.shl();
  }
  i32.add();
  local.set(address);
  if (node.type === "i64") {
    values.setWide(node, (half) => {
      v128.load({ align: 1, offset: half === "low" ? 0 : 16 }, address);
    });
    return;
  }
  if (node.type === "i8") {
    v128.load32_zero({ align: 1 }, address);
    i16x8.extend_low_i8x16_s();
    i32x4.extend_low_i16x8_s();
  } else if (node.type === "i16") v128.load16x4_s({ align: 1 }, address);
  else v128.load({ align: 1 }, address);
  values.set32(node);
}

/** Each lane from its own address. */
function gather(values: LaneValues, node: Load): void {
  const addresses = values.locals.v128();
  values.push32(node.args[0] as Node);
  local.set(addresses);
  const lane = (at: 0 | 1 | 2 | 3) => {
    i32x4.extract_lane(at, addresses);
    if (node.type === "i8") i32.load8_s({});
    if (node.type === "i16") i32.load16_s({ align: 1 });
    if (node.type === "i32") i32.load({ align: 1 });
    if (node.type === "i64") i64.load({ align: 1 });
  };
  if (node.type === "i64") {
    values.setWide(node, (half) => {
      lane(half === "low" ? 0 : 2);
      i64x2.splat();
      lane(half === "low" ? 1 : 3);
      i64x2.replace_lane(1);
    });
    return;
  }
  lane(0);
  i32x4.splat();
  for (const at of [1, 2, 3] as const) {
    lane(at);
    i32x4.replace_lane(at);
  }
  values.set32(node);
}
