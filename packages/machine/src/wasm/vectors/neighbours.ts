import type { ElementType } from "../../program.ts";
import { i32, i32x4, local, v128 } from "../asm.ts";
import type { Node } from "../graph.ts";
import { runOf, type VectorLoop } from "../vectorForm.ts";
import { HIGH_WORDS, type LaneValues, LOW_WORDS } from "./lanes.ts";

type Load = Node & { op: "load" };
/** Two loads of one table, the second always one element behind the first: each lane loads both at once. */
export type Neighbours = { first: Load; second: Load };

const BYTES = { i8: 1, i16: 2, i32: 4 } as const;
type Narrow = Exclude<ElementType, "i64">;

/** All such pairs among the values of a loop, by either of their loads. */
export function neighboursOf(inside: readonly Node[], loop: VectorLoop): Map<Node, Neighbours> {
  const found = new Map<Node, Neighbours>();
  const gathered = inside.filter((node): node is Load => node.op === "load" && runOf(node, loop) === undefined);
  for (const first of gathered)
    for (const second of gathered) {
      if (first.id > second.id || first.type !== second.type || first.type === "i64") continue;
      if (found.has(first) || found.has(second)) continue;
      if (!isNext(first.args[0] as Node, second.args[0] as Node, BYTES[first.type])) continue;
      const pair = { first, second };
      found.set(first, pair);
      found.set(second, pair);
    }
  return found;
}

/** Whether one address has all terms of another and a literal number of bytes more. */
function isNext(first: Node, second: Node, bytes: number): boolean {
  const rest = termsOf(second);
  for (const term of termsOf(first)) {
    const at = rest.indexOf(term);
    if (at < 0) return false;
    rest.splice(at, 1);
  }
  const [step] = rest;
  if (rest.length !== 1 || step === undefined) return false;
  const [index, factor] = step.op === "scale32" ? [step.args[0], step.factor] : [step, 1];
  const literal = index?.op === "wrap" ? index.args[0] : undefined;
  return literal?.op === "literal" && literal.value * BigInt(factor) === BigInt(bytes);
}

const termsOf = (address: Node): Node[] => (address.op === "add32" ? address.args.flatMap(termsOf) : [address]);

export function emitNeighbours(values: LaneValues, { first, second }: Neighbours): void {
  const addresses = values.locals.v128();
  values.push32(first.args[0] as Node);
  local.set(addresses);
  const type = first.type as Narrow;
  if (type === "i32") {
    const pairs = values.wideTemporary((half) => {
      const [one, other] = half === "low" ? ([0, 1] as const) : ([2, 3] as const);
      i32x4.extract_lane(one, addresses);
      v128.load64_zero({ align: 1 });
      const loaded = values.locals.v128();
      local.set(loaded);
      i32x4.extract_lane(other, addresses);
      local.get(loaded);
      v128.load64_lane({ align: 1 }, 1);
    });
    values.pushWords(pairs, LOW_WORDS);
    values.set32(first);
    values.pushWords(pairs, HIGH_WORDS);
    values.set32(second);
    return;
  }
  const pairs = values.locals.v128();
  const push = (lane: 0 | 1 | 2 | 3) => {
    i32x4.extract_lane(lane, addresses);
    if (type === "i16") i32.load({ align: 1 });
    else i32.load16_u({ align: 1 });
  };
  push(0);
  i32x4.splat();
  for (const lane of [1, 2, 3] as const) {
    push(lane);
    i32x4.replace_lane(lane);
  }
  local.set(pairs);
  const bits = BYTES[type] * 8;
  local.get(pairs);
  i32.const(32 - bits);
  i32x4.shl();
  i32.const(32 - bits);
  i32x4.shr_s();
  values.set32(first);
  local.get(pairs);
  if (type === "i8") {
    i32.const(16);
    i32x4.shl();
  }
  i32.const(32 - bits);
  i32x4.shr_s();
  values.set32(second);
}
