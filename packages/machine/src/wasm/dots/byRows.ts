import { type AsmFunction, forLoop, i32, if_, type Local, type Locals, local } from "../asm.ts";
import { defineKernel } from "./kernel.ts";

const DOT_OPERANDS = ["weights", "panels", "panelBytes", "table", "rows", "columns", "out", "outBytes"] as const;
export type Operands = Record<(typeof DOT_OPERANDS)[number], Local<"i32">>;

/** Sums of some rows of activations with a panel, or with two: one of each half of the panels. */
export type Tile = {
  /** Addresses of the panels. */
  panels: Local<"i32">[];
  /** Sums all columns, and leaves the addresses of the next panels. */
  sum(): void;
  /** Stores the eight sums of a row and a panel. */
  store(row: number, panel: number, out: Local<"i32">): void;
};

export type DotPlan = {
  sumBytes: 4 | 8;
  /** Rows that are taken at a time; what is left over is taken by smaller tiles. */
  mostRows: number;
  tile(locals: Locals, operands: Operands, rows: number): Tile;
};

/**
 * A kernel `dotRows`. Some rows pass all panels, then the next rows: a range of panels that fits the second cache is read from
 * memory once.
 */
export const defineDotRows = ({ sumBytes, mostRows, tile }: DotPlan): AsmFunction =>
  defineKernel(DOT_OPERANDS, [], (operands, locals) => {
    const { table, rows, out, outBytes } = operands;
    const [left, whole, done] = [locals.i32(), locals.i32(), locals.i32()];
    const pass = (count: number) =>
      emitPanels(locals, operands, { count, sumBytes, tile: tile(locals, operands, count) });
    i32.const(mostRows);
    local.set(whole);
    local.set(left, i32.rem_u(rows, whole));
    local.set(whole, i32.sub(rows, left));
    forLoop(done, whole, mostRows, () => {
      pass(mostRows);
      local.set(table, i32.add(table, mostRows * 8));
      i32.mul(outBytes, mostRows);
      local.get(out);
      i32.add();
      local.set(out);
    });
    for (let count = mostRows - 1; count > 0; count--) {
      i32.eq(left, count);
      if_(null, () => pass(count));
    }
  });

function emitPanels(
  locals: Locals,
  { weights, panels, panelBytes, out, outBytes }: Operands,
  { count, sumBytes, tile }: { count: number; sumBytes: number; tile: Tile },
): void {
  const streams = tile.panels.length;
  const [turns, turn, panelOut, rowOut, at] = [locals.i32(), locals.i32(), locals.i32(), locals.i32(), locals.i32()];
  const half = { bytes: locals.i32(), out: locals.i32() };
  local.set(turns, streams === 1 ? panels : i32.shr_u(panels, 1));
  local.set(half.bytes, i32.mul(turns, panelBytes));
  local.set(half.out, i32.mul(turns, sumBytes * 8));
  tile.panels.forEach((panel, stream) => {
    local.set(panel, stream === 0 ? weights : i32.add(weights, half.bytes));
  });
  local.set(panelOut, out);
  forLoop(turn, turns, 1, () => {
    tile.sum();
    local.set(rowOut, panelOut);
    for (let row = 0; row < count; row++) {
      if (row > 0) local.set(rowOut, i32.add(rowOut, outBytes));
      for (let stream = 0; stream < streams; stream++) {
        local.set(at, stream === 0 ? rowOut : i32.add(rowOut, half.out));
        tile.store(row, stream, at);
      }
    }
    local.set(panelOut, i32.add(panelOut, sumBytes * 8));
  });
}
