import { floorSqrt, greatest, least } from "./bigints.ts";
import { RANGE } from "./elements.ts";
import type { DecodedExpression, Expression, Load, Variable } from "./expression.ts";
import type { Arithmetic } from "./ops.ts";

/** All values from `lo` to `hi`, both included. */
export type Interval = { readonly lo: bigint; readonly hi: bigint };

export const point = (value: bigint): Interval => ({ lo: value, hi: value });
export const hull = (a: Interval, b: Interval): Interval => ({
  lo: least(a.lo, b.lo),
  hi: greatest(a.hi, b.hi),
});
export const contains = (outer: Interval, inner: Interval): boolean => outer.lo <= inner.lo && inner.hi <= outer.hi;
/** What a clamp of each value to `bounds` leaves. */
export const clampInterval = ({ lo, hi }: Interval, bounds: Interval): Interval => {
  const clamp = (x: bigint) => (x < bounds.lo ? bounds.lo : x > bounds.hi ? bounds.hi : x);
  return { lo: clamp(lo), hi: clamp(hi) };
};
export const I64: Interval = RANGE.i64;

export type IntervalEnvironment = {
  variables: Record<Variable, Interval>;
  load: (node: Load, index: readonly Interval[]) => Interval;
};

export type IntervalAnalysis = {
  values: ReadonlyMap<Expression, Interval>;
  root: Interval;
  /** Operations whose exact result may not fit i64, so that it may wrap. Their interval is all of i64. */
  wraps: readonly Expression[];
};

/** An interval around every value of an expression, from intervals of its variables and loads. */
export function analyseIntervals(code: DecodedExpression, environment: IntervalEnvironment): IntervalAnalysis {
  const values = new Map<Expression, Interval>();
  const wraps: Expression[] = [];
  const known = (node: Expression): Interval => values.get(node) ?? I64;
  for (const node of code.nodes) values.set(node, intervalOf(node));
  return { values, root: known(code.root), wraps };

  function intervalOf(node: Expression): Interval {
    switch (node.op) {
      case "literal":
        return point(node.value);
      case "t":
      case "r":
      case "c":
      case "k":
      case "T":
      case "acc":
        return environment.variables[node.op];
      case "tensor":
      case "fold":
      case "now":
      case "prev":
        return environment.load(node, node.args.map(known));
      default: {
        const isSquare = node.op === "mul" && node.args[0] === node.args[1];
        const [a = I64, b = I64, c = I64] = node.args.map(known);
        const exact = isSquare ? square(a) : arithmeticIntervals[node.op](a, b, c);
        if (contains(I64, exact)) return exact;
        wraps.push(node);
        return I64;
      }
    }
  }
}

/** Exact bounds before any wrap, so that a caller sees what does not fit. */
export const arithmeticIntervals = {
  add: (a, b) => ({ lo: a.lo + b.lo, hi: a.hi + b.hi }),
  sub: (a, b) => ({ lo: a.lo - b.hi, hi: a.hi - b.lo }),
  mul: (a, b) => product(a, b),
  mulshr: (a, b, s) => shifted(product(a, b), shiftCount(s)),
  shl: (a, s) => {
    const { lo, hi } = shiftCount(s);
    return corners([a.lo << lo, a.lo << hi, a.hi << lo, a.hi << hi]);
  },
  shr: (a, s) => shifted(a, shiftCount(s)),
  and: (a, b) => andInterval(a, b),
  or: (a, b) => {
    const bits = bitsInterval(a, b);
    return a.lo >= 0n && b.lo >= 0n ? { lo: greatest(a.lo, b.lo), hi: bits.hi } : bits;
  },
  xor: (a, b) => bitsInterval(a, b),
  min: (a, b) => ({ lo: least(a.lo, b.lo), hi: least(a.hi, b.hi) }),
  max: (a, b) => ({ lo: greatest(a.lo, b.lo), hi: greatest(a.hi, b.hi) }),
  eq: (a, b) => {
    if (a.hi < b.lo || b.hi < a.lo) return point(0n);
    return a.lo === a.hi && b.lo === b.hi ? point(1n) : TRUTH;
  },
  lt: (a, b) => (a.hi < b.lo ? point(1n) : a.lo >= b.hi ? point(0n) : TRUTH),
  select: (p, a, b) => {
    if (p.lo > 0n || p.hi < 0n) return a;
    return p.lo === 0n && p.hi === 0n ? b : hull(a, b);
  },
  udiv: (a, b) => udivInterval(a, b),
  isqrt: (a) => (a.lo >= 0n ? { lo: floorSqrt(a.lo), hi: floorSqrt(a.hi) } : { lo: 0n, hi: 2n ** 32n - 1n }),
  bitlen: (a) => (a.lo >= 0n ? { lo: bits(a.lo), hi: bits(a.hi) } : { lo: 0n, hi: 64n }),
  philox: () => I64,
} satisfies Record<Arithmetic, (a: Interval, b: Interval, c: Interval) => Interval>;

const TRUTH: Interval = { lo: 0n, hi: 1n };
const bits = (value: bigint): bigint => BigInt(value === 0n ? 0 : value.toString(2).length);

function corners(values: readonly [bigint, ...bigint[]]): Interval {
  return values.slice(1).reduce<Interval>((all, value) => hull(all, point(value)), point(values[0]));
}

const product = (a: Interval, b: Interval): Interval => corners([a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi]);

function square({ lo, hi }: Interval): Interval {
  const { lo: least, hi: greatest } = corners([lo * lo, hi * hi]);
  return { lo: lo <= 0n && hi >= 0n ? 0n : least, hi: greatest };
}

const shiftCount = (s: Interval): Interval => clampInterval(s, { lo: 0n, hi: 63n });

/** The rounding shift is monotone in the value, and for one value monotone in the count: the corners bound it. */
function shifted(a: Interval, s: Interval): Interval {
  const shift = (value: bigint, by: bigint) => (by === 0n ? value : (value + (1n << (by - 1n))) >> by);
  return corners([shift(a.lo, s.lo), shift(a.lo, s.hi), shift(a.hi, s.lo), shift(a.hi, s.hi)]);
}

function andInterval(a: Interval, b: Interval): Interval {
  for (const [value, mask] of [
    [a, b],
    [b, a],
  ] as const) // clearing low bits is monotone
    if (mask.lo === mask.hi && mask.lo < 0n && (-mask.lo & (-mask.lo - 1n)) === 0n)
      return { lo: value.lo & mask.lo, hi: value.hi & mask.lo };
  if (a.lo >= 0n || b.lo >= 0n) {
    const bounds = [a, b].filter(({ lo }) => lo >= 0n).map(({ hi }) => hi);
    return { lo: 0n, hi: bounds.reduce(least) };
  }
  return { lo: bitsInterval(a, b).lo, hi: greatest(a.hi, b.hi) };
}

/** The values of as many bits as the operands have: what no bit operation leaves. */
function bitsInterval(a: Interval, b: Interval): Interval {
  const { lo, hi } = hull(a, b);
  const width = [lo < 0n ? bits(-lo - 1n) : bits(lo), hi < 0n ? bits(-hi - 1n) : bits(hi)].reduce((x, y) =>
    x > y ? x : y,
  );
  return { lo: lo < 0n ? -(1n << width) : 0n, hi: (1n << width) - 1n };
}

function udivInterval(a: Interval, b: Interval): Interval {
  if (b.lo < 0n) return a.lo >= 0n ? { lo: 0n, hi: a.hi } : I64; // a negative divisor is a huge one
  if (b.hi === 0n) return point(0n);
  const divisor = b.lo === 0n ? 1n : b.lo;
  if (a.lo >= 0n) return { lo: b.lo === 0n ? 0n : a.lo / b.hi, hi: a.hi / divisor };
  return divisor === 1n ? I64 : { lo: 0n, hi: (2n ** 64n - 1n) / divisor };
}
