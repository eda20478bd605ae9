import { forLoop, i32, if_, type Local, type Locals, local, v128 } from "../asm.ts";
import { defineKernel } from "./kernel.ts";
import { emitSums, newTile, storeSums } from "./tile.ts";

const OPERANDS = ["weights", "panels", "panelBytes", "table", "rows", "rowBytes", "out", "outBytes"] as const;
type Operands = Record<(typeof OPERANDS)[number], Local<"i32">>;

/**
 * `out[m, n] = sum over k of x[m, k] * W[n, k]` for a few rows of activations and a range of panels; other ranges of the
 * same matrix may be computed before, after or at the same time. Sums are exact modulo 2^32.
 * Four rows pass over all panels, then the next four: a range that fits the second cache is read from memory once. What is
 * left over, and a single row, is bound by memory, which gives most when it is read as two sequential streams: half of the
 * range each.
 * Arguments: first panel, panels (even), bytes of a panel, table of rows (address and start of low sums; u32 each), rows,
 * bytes of a row to read (a multiple of 16), out, bytes between rows of out.
 */
export const dotRows = defineKernel(OPERANDS, [], (operands, locals) => {
  const { table, rows, out, outBytes } = operands;
  const [fours, done] = [locals.i32(), locals.i32()];
  local.set(fours, i32.and(rows, -4));
  forLoop(done, fours, 4, () => {
    emitRows(locals, operands, { rows: 4, streams: 1 });
    local.set(table, i32.add(table, 32));
    i32.shl(outBytes, 2);
    local.get(out);
    i32.add();
    local.set(out);
  });
  for (const [left, streams] of [
    [3, 1],
    [2, 2],
    [1, 2],
  ] as const) {
    i32.and(rows, 3);
    i32.const(left);
    i32.eq();
    if_(null, () => emitRows(locals, operands, { rows: left, streams }));
  }
});

/** The first `rows` rows of the table with all panels. */
function emitRows(
  locals: Locals,
  { weights, panels, panelBytes, table, rowBytes, out, outBytes }: Operands,
  { rows, streams }: { rows: number; streams: 1 | 2 },
): void {
  const tile = newTile(locals, rows, streams);
  const [turns, turn, end, target, outs] = [locals.i32(), locals.i32(), locals.i32(), locals.i32(), locals.i32()];
  // what is left of a panel where a row is read in parts
  const rest = locals.i32();
  i32.shl(rowBytes, 2);
  local.set(rest);
  local.set(rest, i32.sub(panelBytes, rest));
  const half = { bytes: locals.i32(), out: locals.i32() };
  local.set(turns, streams === 1 ? panels : i32.shr_u(panels, 1));
  tile.panels.forEach((panel, stream) => {
    if (stream === 0) local.set(panel, weights);
    else {
      local.set(half.out, i32.shl(turns, 5));
      local.set(half.bytes, i32.mul(turns, panelBytes));
      local.set(panel, i32.add(weights, half.bytes));
    }
  });
  local.set(outs, out);
  forLoop(turn, turns, 1, () => {
    tile.rows.forEach((row, m) => {
      i32.load({ offset: m * 8 }, table);
      local.set(row);
      for (const { low, high } of tile.sums[m] ?? []) {
        v128.load32_splat({ offset: m * 8 + 4 }, table);
        local.set(low);
        v128.const("i32x4", [0, 0, 0, 0]);
        local.set(high);
      }
    });
    local.set(end, i32.add(tile.rows[0] as Local<"i32">, rowBytes));
    emitSums(tile, end);
    for (const panel of tile.panels) local.set(panel, i32.add(panel, rest));
    local.set(target, outs);
    tile.sums.forEach((sums, m) => {
      if (m > 0) local.set(target, i32.add(target, outBytes));
      sums.forEach((sum, stream) => {
        if (stream === 1) local.set(end, i32.add(target, half.out));
        storeSums(sum, stream === 0 ? target : end);
      });
    });
    local.set(outs, i32.add(outs, 32));
  });
}
