import { i32, i32x4, i64, i64x2, type Local, local } from "../asm.ts";
import type { Node } from "../graph.ts";
import { type Operation, pushOperation } from "../scalarOperations.ts";
import { isNarrow } from "../vectorForm.ts";
import type { LaneValues } from "./lanes.ts";

/** An operation without a form of its own in vectors: lane by lane in scalars. */
export function emitByLanes(values: LaneValues, node: Node, op: Operation): void {
  const { locals } = values;
  const results = [0, 1, 2, 3].map((lane) => {
    const operands = new Map(node.args.map((arg) => [arg, extractedLane(values, arg, lane)]));
    pushOperation(op, node.args, (arg) => {
      if (arg.op === "literal") i64.const(arg.value);
      else local.get(operands.get(arg) as Local<"i64">);
    });
    const result = locals.i64();
    local.set(result);
    return result;
  }) as [Local<"i64">, Local<"i64">, Local<"i64">, Local<"i64">];
  if (isNarrow(node)) {
    i32.wrap_i64(results[0]);
    i32x4.splat();
    for (const lane of [1, 2, 3] as const) {
      i32.wrap_i64(results[lane]);
      i32x4.replace_lane(lane);
    }
    values.set32(node);
    return;
  }
  values.setWide(node, (half) => {
    const [first, second] = half === "low" ? [results[0], results[1]] : [results[2], results[3]];
    i64x2.splat(first);
    local.get(second);
    i64x2.replace_lane(1);
  });
}

/** A lane of a value as an i64 in a local; what is the same in all lanes is no vector at all. */
export function extractedLane(values: LaneValues, node: Node, lane: number): Local<"i64"> {
  const result = values.locals.i64();
  if (node.level < values.loop.level) values.scalar(node);
  else {
    const lanes = values.lanes(node);
    if (lanes.bits === 32) {
      i32x4.extract_lane(lane as 0 | 1 | 2 | 3, lanes.all);
      i64.extend_i32_s();
    } else i64x2.extract_lane((lane % 2) as 0 | 1, lane < 2 ? lanes.low : lanes.high);
  }
  local.set(result);
  return result;
}
