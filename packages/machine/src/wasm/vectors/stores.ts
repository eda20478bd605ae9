import type { ElementType } from "../../program.ts";
import { i8x16, i16x8, i32, i32x4, i64, i64x2, local, v128 } from "../asm.ts";
import type { Node } from "../graph.ts";
import { ofType } from "../ranges.ts";
import { emitScalarStore } from "../storing.ts";
import { isNarrow } from "../vectorForm.ts";
import { pushExtremum64 } from "./arithmetic.ts";
import { extractedLane } from "./byLanes.ts";
import { type LaneValues, LOW_WORDS, type Vector } from "./lanes.ts";

/** Stores four neighbours, saturated, where `address` pushes the first one's. */
export function emitStore(values: LaneValues, node: Node, type: ElementType, address: () => void): void {
  if (type === "i64") {
    const { low, high } = values.wide(node);
    address();
    local.get(low);
    v128.store({ align: 1 });
    address();
    local.get(high);
    v128.store({ align: 1, offset: 16 });
    return;
  }
  address();
  if (isNarrow(node)) values.push32(node);
  else pushClamped(values, node, type);
  if (type === "i32") {
    v128.store({ align: 1 });
    return;
  }
  const packed = values.locals.v128();
  local.set(packed);
  i16x8.narrow_i32x4_s(packed, packed);
  if (type === "i16") {
    v128.store64_lane({ align: 1 }, 0);
    return;
  }
  local.set(packed);
  i8x16.narrow_i16x8_s(packed, packed);
  v128.store32_lane({ align: 1 }, 0);
}

/** Pushes 32-bit lanes of values that need 64, clamped to a type's range. */
function pushClamped(values: LaneValues, node: Node, type: ElementType): void {
  const wide = values.wide(node);
  const bound = values.locals.v128();
  const clamped = values.wideTemporary((half) => {
    let value = wide[half];
    for (const [op, limit] of [
      ["min", ofType[type].hi],
      ["max", ofType[type].lo],
    ] as const) {
      i64.const(limit);
      i64x2.splat();
      local.set(bound);
      pushExtremum64(op, value, bound);
      if (op === "max") return;
      value = values.locals.v128();
      local.set(value);
    }
  });
  values.pushWords(clamped, LOW_WORDS);
}

/** Stores each lane, saturated, at its own address. */
export function emitScatter(values: LaneValues, node: Node, type: ElementType, address: Node): void {
  for (const lane of [0, 1, 2, 3] as const) {
    const value = extractedLane(values, node, lane);
    pushAddress(values, address, lane);
    local.get(value);
    emitScalarStore(values.locals, type, node.range);
  }
}

/** Stores four 32-bit lanes, each at its own address. */
export function emitScatter32(values: LaneValues, lanes: Vector, address: Node): void {
  for (const lane of [0, 1, 2, 3] as const) {
    pushAddress(values, address, lane);
    i32x4.extract_lane(lane, lanes);
    i32.store({ align: 1 });
  }
}

function pushAddress(values: LaneValues, address: Node, lane: 0 | 1 | 2 | 3): void {
  values.push32(address);
  i32x4.extract_lane(lane);
}
