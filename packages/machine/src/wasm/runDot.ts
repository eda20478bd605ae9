import { BYTES, type ElementType } from "../program.ts";
import {
  i8x16,
  i16x8,
  i32,
  i32x4,
  i64,
  i64x2,
  if_,
  type Local,
  type Locals,
  local,
  loopWhileBelow,
  v128,
} from "./asm.ts";
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

/** Columns that a block computes together. */
export const BLOCK_COLUMNS = 4;
/** Turns of a fixed axis that are written out one after the other. */
const MOST_UNROLLED = 16;

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

/** No lane can overflow before all of the axis is summed. */
export const needsNoFlush = ({ turns }: RunForm, most: number): boolean => Math.ceil(most / LANES) <= turns;

/**
 * The same address for the four columns of a block, which starts at a multiple of four: a quotient by a multiple of four
 * does not change in it.
 */
export function isBlockInvariant(node: Node): boolean {
  if (node.level < 2) return true;
  const [value, divisor] = node.args;
  if (node.op === "udiv" && value?.op === "c" && divisor?.op === "literal")
    return divisor.value % BigInt(BLOCK_COLUMNS) === 0n;
  return node.args.length > 0 && node.args.every(isBlockInvariant);
}

/**
 * Sums of four columns at once, in 64 bits: low holds columns 0 and 1, high 2 and 3. One address stands for all columns.
 * `fixed` is the number of terms where it is always the same. The form must need no flush.
 */
export function emitBlockDot(
  locals: Locals,
  { left, right }: RunForm,
  at: { left: Address[]; right: Address[]; count: Address; fixed: number | undefined },
): { low: Local<"v128">; high: Local<"v128"> } {
  const lanes = Array.from({ length: BLOCK_COLUMNS }, () => locals.v128());
  const shared = { left: locals.v128(), right: locals.v128() };
  const rest = locals.i32();
  const sides = { left: { type: left, addresses: at.left }, right: { type: right, addresses: at.right } };
  for (const lane of lanes) {
    v128.const("i32x4", [0, 0, 0, 0]);
    local.set(lane);
  }
  const push = (side: "left" | "right", column: number, turn: number) => {
    const { type, addresses } = sides[side];
    const address = addresses[column] as Address;
    const offset = turn * LANES * BYTES[type];
    if (type === "i8") v128.load8x8_s({ align: 1, offset }, address);
    else v128.load({ align: 1, offset }, address);
  };
  /** One turn of all columns; `mask` leaves as many terms of the left side as the rest has. */
  const turnOf = (turn: number, mask?: () => void) => {
    for (const side of ["left", "right"] as const)
      if (sides[side].addresses.length === 1) {
        push(side, 0, turn);
        if (side === "left") mask?.();
        local.set(shared[side]);
      }
    for (const [column, lane] of lanes.entries()) {
      for (const side of ["left", "right"] as const)
        if (sides[side].addresses.length === 1) local.get(shared[side]);
        else {
          push(side, column, turn);
          if (side === "left") mask?.();
        }
      i32x4.dot_i16x8_s();
      local.get(lane);
      i32x4.add();
      local.set(lane);
    }
  };

  const { fixed } = at;
  if (fixed !== undefined && fixed % LANES === 0 && fixed / LANES <= MOST_UNROLLED)
    for (let turn = 0; turn < fixed / LANES; turn++) turnOf(turn);
  else {
    const [k, whole] = [locals.i32(), locals.i32()];
    local.set(whole, i32.and(at.count, -LANES));
    local.set(k, i32.const(0));
    loopWhileBelow(k, whole, LANES, () => {
      turnOf(0);
      for (const { type, addresses } of Object.values(sides))
        for (const address of addresses) local.set(address, i32.add(address, LANES * BYTES[type]));
    });
    i32.sub(at.count, whole);
    local.tee(rest);
    if_(null, () => {
      turnOf(0, () => {
        v128.const("i16x8", [0, 1, 2, 3, 4, 5, 6, 7]);
        i16x8.splat(rest);
        i16x8.lt_s();
        v128.and();
      });
    });
  }

  const pairs = lanes.map((lane) => {
    const pair = locals.v128();
    i64x2.extend_low_i32x4_s(lane);
    i64x2.extend_high_i32x4_s(lane);
    i64x2.add();
    local.set(pair);
    return pair;
  });
  const joined = (first: Local<"v128">, second: Local<"v128">) => {
    const sum = locals.v128();
    for (const words of [FIRST_WORDS, SECOND_WORDS] as const) {
      local.get(first);
      local.get(second);
      i8x16.shuffle([...words]);
    }
    i64x2.add();
    local.set(sum);
    return sum;
  };
  const [a, b, c, d] = pairs as [Local<"v128">, Local<"v128">, Local<"v128">, Local<"v128">];
  return { low: joined(a, b), high: joined(c, d) };
}

const FIRST_WORDS = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23] as const;
const SECOND_WORDS = [8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31] as const;
