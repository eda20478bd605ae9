import { BYTES, type ElementType } from "../program.ts";
import { i16x8, i32, i32x4, i64, i64x2, if_, type Local, type Locals, local, loopWhileBelow, v128 } from "./asm.ts";
import type { Node } from "./graph.ts";
import type { Lowered } from "./lower.ts";
import { magnitude } from "./ranges.ts";
import type { FoldCode } from "./sites.ts";

/** A sum over k of a product of two runs of i8 or i16: neighbouring k are neighbouring elements of both. */
export type RunForm = {
  left: "i8" | "i16";
  right: "i8" | "i16";
  /** Turns of eight terms after which a 32-bit lane could overflow. */
  turns: number;
};
/** The form and the addresses of the two runs. */
export type RunDot = { form: RunForm; left: Node; right: Node };

const LANES = 8;
type Address = Local<"i32">;

/** Recognises the form; undefined where the products of one turn could already overflow a lane. */
export function runDotOf(code: FoldCode, { term, axis }: Lowered): RunDot | undefined {
  if (code.decl.combine !== "sum" || term?.op !== "mul" || axis === undefined) return undefined;
  const [left, right] = term.args;
  if (left?.op !== "load" || right?.op !== "load" || left.runs?.k === undefined || right.runs?.k === undefined)
    return undefined;
  const types = { left: narrow(left.type), right: narrow(right.type) };
  if (types.left === undefined || types.right === undefined) return undefined;
  const pair = 2n * magnitude(left.range) * magnitude(right.range);
  // never more than the axis has: tiny operands would allow more terms than an i32 counts
  const all = Math.ceil(axis.max / LANES);
  const turns = pair === 0n ? all : Math.min(all, Number((2n ** 31n - 1n) / pair));
  return turns < 1
    ? undefined
    : { form: { left: types.left, right: types.right, turns }, left: left.runs.k, right: right.runs.k };
}

const narrow = (type: ElementType): "i8" | "i16" | undefined => (type === "i8" || type === "i16" ? type : undefined);

/**
 * Eight products a turn in four 32-bit lanes; lanes are added up in 64 bits before they can overflow. A last turn of fewer
 * than eight terms reads beyond the runs and masks what does not belong to them.
 */
export function emitRunDot(
  locals: Locals,
  { left, right, turns }: RunForm,
  at: { left: Address; right: Address; count: Address; sum: Local<"i64"> },
): void {
  const [a, b, k, whole, rest, stop] = [
    locals.i32(),
    locals.i32(),
    locals.i32(),
    locals.i32(),
    locals.i32(),
    locals.i32(),
  ];
  const [lanes, wide] = [locals.v128(), locals.v128()];
  const clear = (vector: Local<"v128">) => {
    v128.const("i32x4", [0, 0, 0, 0]);
    local.set(vector);
  };
  const flush = () => {
    local.get(wide);
    i64x2.extend_low_i32x4_s(lanes);
    i64x2.add();
    i64x2.extend_high_i32x4_s(lanes);
    i64x2.add();
    local.set(wide);
  };
  const loadRun = (address: Address, type: "i8" | "i16") =>
    type === "i8" ? v128.load8x8_s({ align: 1 }, address) : v128.load({ align: 1 }, address);
  const addProducts = () => {
    i32x4.dot_i16x8_s();
    local.get(lanes);
    i32x4.add();
    local.set(lanes);
  };

  local.set(a, at.left);
  local.set(b, at.right);
  local.set(whole, i32.and(at.count, -LANES));
  local.set(k, i32.const(0));
  clear(lanes);
  clear(wide);
  const turn = () => {
    loadRun(a, left);
    loadRun(b, right);
    addProducts();
    local.set(a, i32.add(a, LANES * BYTES[left]));
    local.set(b, i32.add(b, LANES * BYTES[right]));
  };
  const most = turns * LANES;
  if (turns < 2) {
    loopWhileBelow(k, whole, LANES, () => {
      turn();
      flush();
      clear(lanes);
    });
  } else {
    local.set(stop, i32.const(0));
    loopWhileBelow(stop, whole, 0, () => {
      local.set(stop, i32.add(stop, most));
      i32.lt_u(whole, stop);
      if_(null, () => {
        local.set(stop, whole);
      });
      loopWhileBelow(k, stop, LANES, turn);
      flush();
      clear(lanes);
    });
  }
  i32.sub(at.count, whole);
  local.tee(rest);
  if_(null, () => {
    loadRun(a, left);
    v128.const("i16x8", [0, 1, 2, 3, 4, 5, 6, 7]);
    i16x8.splat(rest);
    i16x8.lt_s();
    v128.and();
    loadRun(b, right);
    addProducts();
    flush();
  });
  i64x2.extract_lane(0, wide);
  i64x2.extract_lane(1, wide);
  i64.add();
  local.set(at.sum);
}
