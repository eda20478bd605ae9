import { size } from "../program.ts";
import { BLOCK_COLUMNS } from "./blockDot.ts";
import type { Node } from "./graph.ts";
import { isSameFor, partsOver, type Representative } from "./invariance.ts";
import type { Lowered } from "./lower.ts";
import type { RunDot } from "./runDot.ts";

/**
 * Elements that a block computes together besides its four columns: `count` lines, `stride` rows or columns apart, which
 * have one of their two runs in common (query heads that share keys and values).
 */
export type Lines = { over: "r" | "c"; count: number; stride: number };

/** Of one side: whether all lines of a block have the same run, and whether all columns have. */
export type Sharing = { byLines: boolean; byColumns: boolean };
export type BlockShape = { lines: Lines; left: Sharing; right: Sharing };

/** Lines of a block, best first: with four columns of each the sums still fit the registers. */
const COUNTS = [3, 2];

export function blockShapeOf(lowered: Lowered, { left, right }: RunDot): BlockShape {
  const lines = linesOf(lowered, [left, right]);
  const { size: extent, max } = lowered[lines.over === "r" ? "rows" : "cols"];
  const { cols } = lowered;
  const firstColumn: Representative = (c) => c - (c % BLOCK_COLUMNS);
  const sharing = (node: Node): Sharing => ({
    byLines:
      lines.count > 1 && size.kind(extent) === 0 && isSameFor(partsOver(node, lines.over, max), firstLine(lines)),
    // where the number of columns varies, the last block may begin anywhere
    byColumns: isSameFor(
      partsOver(node, "c", cols.max),
      cols.max % BLOCK_COLUMNS === 0 && size.kind(cols.size) === 0 ? firstColumn : () => 0,
    ),
  });
  return { lines, left: sharing(left), right: sharing(right) };
}

/** A count of 1 where no two lines have a run in common. */
function linesOf({ rows, cols }: Lowered, sides: Node[]): Lines {
  if (size.kind(rows.size) === 0) {
    const parts = sides.map((node) => partsOver(node, "r", rows.max));
    for (const count of COUNTS) {
      const lines: Lines = { over: "r", count, stride: 1 };
      if (rows.max % count === 0 && parts.some((of) => isSameFor(of, firstLine(lines)))) return lines;
    }
  }
  if (size.kind(cols.size) === 0) {
    const parts = sides.map((node) => partsOver(node, "c", cols.max));
    for (const count of COUNTS)
      for (let stride = BLOCK_COLUMNS; stride * count <= cols.max; stride += BLOCK_COLUMNS) {
        if (cols.max % (stride * count) !== 0) continue;
        const lines: Lines = { over: "c", count, stride };
        if (parts.some((of) => isSameFor(of, firstLine(lines)))) return lines;
      }
  }
  return { over: "r", count: 1, stride: 1 };
}

const firstLine =
  ({ count, stride }: Lines): Representative =>
  (at) =>
    at - Math.floor((at % (stride * count)) / stride) * stride;
