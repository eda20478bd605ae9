import { arithmeticIntervals, clampInterval, contains, hull, I64, type Interval, point } from "../intervals.ts";
import type { Arithmetic } from "../ops.ts";

/** All values from `lo` to `hi`, both included. */
export type Range = Interval;
export { RANGE as ofType } from "../elements.ts";
export { I64 } from "../intervals.ts";

export const range = (lo: bigint, hi: bigint): Range => ({ lo, hi });
export const within = (inner: Range, outer: Range): boolean => contains(outer, inner);
/** The values that a store into a type leaves. */
export const clampInto = (value: Range, type: Range): Range => clampInterval(value, type);
export const magnitude = ({ lo, hi }: Range): bigint => (-lo > hi ? -lo : hi);

/** The smallest range known to hold every result; an operation that may wrap has the whole of i64. */
export function resultRange(op: Arithmetic, [a = I64, b = I64, c = I64]: Range[]): Range {
  const exact = arithmeticIntervals[op](a, b, c);
  return contains(I64, exact) ? exact : I64;
}

/** A value times itself. */
export function squareRange({ lo, hi }: Range): Range {
  const ends = hull(point(lo * lo), point(hi * hi));
  const exact = lo <= 0n && hi >= 0n ? range(0n, ends.hi) : ends;
  return contains(I64, exact) ? exact : I64;
}
