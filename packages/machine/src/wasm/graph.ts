import { arithmeticIntervals, clampInterval, hull } from "../intervals.ts";
import type { Arithmetic } from "../ops.ts";
import type { ElementType, Size } from "../program.ts";
import { I64, type Range, range, resultRange, squareRange, within } from "./ranges.ts";

/** What a compiled fold is told by its frame: everything that differs between folds of one shape, or between calls. */
export type Slot =
  | { kind: "t" | "T" | "out" | "outRowStride" | "outColStride" | "sums" }
  | { kind: "size"; size: Size }
  | { kind: "literal"; literal: number }
  | { kind: "base" | "stepStride" | "rowStride" | "colStride" | "presence"; site: number };

/** 0: the same for a whole step; 1: changes with r; 2: with c; 3: with k. A value is computed in the loop of its level. */
export type Level = 0 | 1 | 2 | 3;

type Body =
  | { op: "literal"; value: bigint }
  | { op: "slot"; slot: number }
  /** A slot as an i32: an address or a stride in bytes. */
  | { op: "slot32"; slot: number }
  | { op: "r" | "c" | "k" | "acc" }
  /** Of an address; where there is a second argument, it is the address of a byte that says whether the step was computed. */
  | { op: "load"; type: ElementType }
  /** i32 arithmetic of addresses. */
  | { op: "wrap" | "add32" }
  | { op: "scale32"; factor: number }
  | { op: "mul32" }
  | { op: Arithmetic };

export type Node = Body & {
  readonly id: number;
  readonly args: readonly Node[];
  readonly level: Level;
  /** Depends on the accumulator, so it is computed after the loop over k. */
  readonly late: boolean;
  readonly range: Range;
  /** The value is below this size, whatever t and T are; `range` has its bounds in numbers. */
  readonly below?: Size | undefined;
  readonly runs?: Runs | undefined;
};

/**
 * Of a load whose address grows with a variable by its own width: the address where that variable is 0. The address does
 * not change with a variable of an inner loop.
 */
export type Runs = { readonly r?: Node | undefined; readonly c?: Node | undefined; readonly k?: Node | undefined };

/** Values of one fold, each held once. Values whose range is one number become literals. */
export class Graph {
  readonly nodes: Node[] = [];
  readonly slots: Slot[] = [];
  readonly #known = new Map<string, Node>();
  readonly #slotKeys = new Map<string, number>();

  slot(slot: Slot): number {
    const key = JSON.stringify(slot);
    let at = this.#slotKeys.get(key);
    if (at === undefined) {
      at = this.slots.push(slot) - 1;
      this.#slotKeys.set(key, at);
    }
    return at;
  }

  literal(value: bigint): Node {
    return this.#add({ op: "literal", value }, [], { level: 0, range: range(value, value) }, String(value));
  }

  /** A number from the frame. */
  parameter(slot: Slot, known: { range: Range; below?: Size }): Node {
    if (known.range.lo === known.range.hi) return this.literal(known.range.lo);
    const at = this.slot(slot);
    return this.#add({ op: "slot", slot: at }, [], { level: 0, ...known }, String(at));
  }

  address(slot: Slot): Node {
    const at = this.slot(slot);
    return this.#add({ op: "slot32", slot: at }, [], { level: 0, range: I64 }, String(at));
  }

  variable(op: "r" | "c" | "k", level: Level, known: { range: Range; below: Size }): Node {
    if (known.range.lo === known.range.hi) return this.literal(known.range.lo);
    return this.#add({ op }, [], { level, ...known });
  }

  accumulator(known: Range): Node {
    return this.#add({ op: "acc" }, [], { level: 2, range: known, late: true });
  }

  load(
    type: ElementType,
    address: Node,
    known: {
      range: Range;
      runs?: Runs | undefined;
      presence?: Node | undefined;
      atLeast?: Level | undefined;
      late?: boolean;
    },
  ): Node {
    const { range: values, runs, presence, atLeast = 0, late } = known;
    const args = presence === undefined ? [address] : [address, presence];
    const level = args.reduce<number>((highest, arg) => Math.max(highest, arg.level), atLeast) as Level;
    const isLate = late === true || args.some((arg) => arg.late);
    return this.#add(
      { op: "load", type },
      args,
      { level, range: values, runs, late: isLate },
      `${type} ${isLate} ${values.lo} ${values.hi}`,
    );
  }

  wrap(value: Node): Node {
    return this.#add({ op: "wrap" }, [value], { range: I64 });
  }

  scale32(value: Node, factor: number): Node {
    return factor === 1 ? value : this.#add({ op: "scale32", factor }, [value], { range: I64 }, String(factor));
  }

  mul32(a: Node, b: Node): Node {
    return this.#add({ op: "mul32" }, [a, b], { range: I64 });
  }

  /** Adds terms of lower levels first, so that each partial sum leaves the loops it does not change in. */
  sum32(terms: Node[]): Node {
    const sorted = [...terms].sort((a, b) => a.level - b.level || a.id - b.id);
    return sorted.reduce((left, right) => this.#add({ op: "add32" }, [left, right], { range: I64 }));
  }

  apply(op: Arithmetic, args: Node[]): Node {
    const isSquare = op === "mul" && args[0] === args[1];
    const values = isSquare
      ? squareRange((args[0] as Node).range)
      : clampInterval(
          resultRange(
            op,
            args.map((arg) => arg.range),
          ),
          interpolationRange(op, args) ?? normalisedRange(op, args) ?? I64,
        );
    if (values.lo === values.hi) return this.literal(values.lo);
    const same = simplify(op, args);
    if (same !== undefined) return same;
    return this.#add({ op }, args, { range: values, below: upperBound(op, args) });
  }

  #add(
    body: Body,
    args: Node[],
    known: { range: Range; level?: Level; late?: boolean; below?: Size | undefined; runs?: Runs | undefined },
    tag = "",
  ): Node {
    const key = `${body.op} ${tag} ${args.map(({ id }) => id).join(" ")} ${known.level ?? ""}`;
    const found = this.#known.get(key);
    if (found !== undefined) return found;
    const level = known.level ?? (args.reduce<number>((highest, arg) => Math.max(highest, arg.level), 0) as Level);
    const late = known.late ?? args.some((arg) => arg.late);
    const node: Node = {
      ...body,
      id: this.nodes.length,
      args,
      level,
      late,
      range: known.range,
      below: known.below,
      runs: known.runs,
    };
    this.nodes.push(node);
    this.#known.set(key, node);
    return node;
  }
}

/**
 * Of a + shr((b - a) * w, s), or a - shr((a - b) * w, s), with 0 <= w <= 2^s: no rounding leads beyond a or b. Undefined
 * for anything else, and where a part may wrap.
 */
function interpolationRange(op: Arithmetic, [first, second]: Node[]): Range | undefined {
  if (op !== "add" && op !== "sub") return undefined;
  const orders = op === "add" ? [[first, second] as const, [second, first] as const] : [[first, second] as const];
  for (const [a, step] of orders) {
    const [product, count] = step?.args ?? [];
    if (a === undefined || step?.op !== "shr" || count?.op !== "literal" || product?.op !== "mul") continue;
    for (const [slope, weight] of [product.args, product.args.toReversed()]) {
      if (slope?.op !== "sub" || weight === undefined) continue;
      const [upper, lower] = slope.args as [Node, Node];
      const [b, from] = op === "add" ? [upper, lower] : [lower, upper];
      const isWeight = weight.range.lo >= 0n && weight.range.hi <= 1n << count.value;
      const isExact = !mayWrap("sub", slope.args) && !mayWrap("mul", product.args);
      if (from === a && isWeight && isExact && !mayWrap(op, [a, step])) return hull(a.range, b.range);
    }
  }
  return undefined;
}

/** `shl(value, length - bitlen(value))`: moves the highest bit of a value to a fixed place. */
export type Normalised = { value: Node; length: number };

/** Whether a float holds each of the values, and none is 0. */
export const isFloatable = ({ range: { lo, hi } }: Node): boolean => lo > 0n && hi < 2n ** 52n;

/** Undefined for any other value, and where a float does not hold it. */
export function normalised({ op, args: [value, count] }: Pick<Node, "op" | "args">): Normalised | undefined {
  const [length, bits] = count?.args ?? [];
  if (op !== "shl" || value === undefined || count?.op !== "sub" || length?.op !== "literal") return undefined;
  if (bits?.op !== "bitlen" || bits.args[0] !== value || !isFloatable(value)) return undefined;
  return length.value >= bits.range.hi && length.value <= 53n ? { value, length: Number(length.value) } : undefined;
}

function normalisedRange(op: Arithmetic, args: readonly Node[]): Range | undefined {
  const found = normalised({ op, args });
  return found && range(1n << BigInt(found.length - 1), (1n << BigInt(found.length)) - 1n);
}

const mayWrap = (op: "add" | "sub" | "mul", [a, b]: readonly Node[]): boolean =>
  a === undefined || b === undefined || !within(arithmeticIntervals[op](a.range, b.range), I64);

export const isLiteral = (node: Node | undefined, value: bigint): boolean =>
  node?.op === "literal" && node.value === value;

/** An operation that gives one of its operands, by their ranges. */
function simplify(op: Arithmetic, [a, b, c]: Node[]): Node | undefined {
  if (a === undefined) return undefined;
  if (b === undefined) return undefined;
  switch (op) {
    case "add":
      if (isLiteral(a, 0n)) return b;
      return isLiteral(b, 0n) ? a : undefined;
    case "sub":
    case "shl":
    case "shr":
      return isLiteral(b, 0n) ? a : undefined;
    case "mul":
      if (isLiteral(a, 1n)) return b;
      return isLiteral(b, 1n) ? a : undefined;
    case "and":
      return isMaskOver(b, a) ? a : isMaskOver(a, b) ? b : undefined;
    case "min":
      if (a.range.hi <= b.range.lo) return a;
      return b.range.hi <= a.range.lo ? b : undefined;
    case "max":
      if (a.range.lo >= b.range.hi) return a;
      return b.range.lo >= a.range.hi ? b : undefined;
    case "udiv":
      return isLiteral(b, 1n) ? a : undefined;
    case "select":
      if (a.range.lo > 0n || a.range.hi < 0n) return b;
      return a.range.lo === 0n && a.range.hi === 0n ? c : undefined;
    default:
      return undefined;
  }
}

/** All low bits, as many as the value can have. */
const isMaskOver = (mask: Node, { range: values }: Node): boolean =>
  mask.op === "literal" && values.lo >= 0n && values.hi <= mask.value && (mask.value & (mask.value + 1n)) === 0n;

/** A size that the result stays below because its first operand does. */
function upperBound(op: Arithmetic, [a, b]: Node[]): Size | undefined {
  if (a === undefined || b === undefined) return undefined;
  switch (op) {
    case "sub":
      return b.range.lo >= 0n && a.range.lo - b.range.hi >= I64.lo ? a.below : undefined;
    case "max":
      return b.range.hi <= 0n ? a.below : undefined;
    case "min":
      return a.below ?? b.below;
    case "udiv":
      return a.range.lo >= 0n ? a.below : undefined;
    default:
      return undefined;
  }
}
