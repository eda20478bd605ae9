import { i32, i32x4, i64x2, type Local, type Locals, local, loopWhileBelow, v128 } from "../../asm.ts";
import { type DotPlan, defineDotRows, type Operands, type Tile } from "../byRows.ts";
import { clear } from "../packing.ts";
import { extend } from "../vectors64.ts";
import { START_BYTES } from "./packing.ts";

type Address = Local<"i32">;
type Vector = Local<"v128">;
/** Four rows of a panel: its address, and where they lie in a step. */
type Words = { panel: Address; offset: number };
/** Of four rows of the matrix: sums with the low and with the high limbs. */
type Sums = { low: Vector; high: Vector };

/** Columns of a turn: rows have a multiple of them. */
const TURN = 8;

/** One row is bound by memory, which gives most when it is read as two streams. */
const planOf = (sumBytes: 4 | 8): DotPlan => ({
  sumBytes,
  mostRows: 3,
  tile: (locals, operands, rows) => limbTile(locals, operands, { rows, streams: rows === 1 ? 2 : 1, sumBytes }),
});

export const dotRows = defineDotRows(planOf(4));
export const dotRowsWide = defineDotRows(planOf(8));

function limbTile(
  locals: Locals,
  { table, columns }: Operands,
  { rows, streams, sumBytes }: { rows: number; streams: number; sumBytes: 4 | 8 },
): Tile {
  const addresses = Array.from({ length: rows }, () => locals.i32());
  const panels = Array.from({ length: streams }, () => locals.i32());
  const end = locals.i32();
  const vectors = panels.flatMap((panel) => [0, 16].map((offset): Words => ({ panel, offset })));
  const sums = addresses.map(() => vectors.map((): Sums => ({ low: locals.v128(), high: locals.v128() })));
  const sumUp = summation(locals, { addresses, panels, vectors, sums });
  const start = locals.v128();
  return {
    panels,
    sum: () => {
      addresses.forEach((address, m) => {
        i32.load({ offset: m * 8 + 4 }, table);
        local.set(address);
      });
      for (const { low, high } of sums.flat()) for (const sum of [low, high]) clear(sum);
      i32.shl(columns, 1);
      local.get(addresses[0] as Address);
      i32.add();
      local.set(end);
      sumUp(end);
      for (const [at, { panel, offset }] of vectors.entries()) {
        v128.load({ offset }, panel);
        local.set(start);
        for (const { high } of sums.map((row) => row[at] as Sums)) local.set(high, i32x4.add(high, start));
      }
      for (const panel of panels) local.set(panel, i32.add(panel, START_BYTES));
    },
    store: (row, panel, out) => {
      const own = (sums[row] as Sums[]).slice(panel * 2, panel * 2 + 2);
      for (const [half, sum] of own.entries())
        if (sumBytes === 4) storeNarrow(sum, out, half * 16);
        else storeWide(sum, out, half * 32);
    },
  };
}

function storeNarrow({ low, high }: Sums, out: Address, offset: number): void {
  local.get(out);
  i32x4.shl(high, 8);
  local.get(low);
  i32x4.add();
  v128.store({ offset });
}

function storeWide({ low, high }: Sums, out: Address, offset: number): void {
  for (const half of ["low", "high"] as const) {
    local.get(out);
    extend(high, half);
    i32.const(8);
    i64x2.shl();
    extend(low, half);
    i64x2.add();
    v128.store({ offset: offset + (half === "low" ? 0 : 16) });
  }
}

/** Adds the products of rows and panels until the first row's address reaches the end; all addresses advance. */
function summation(
  locals: Locals,
  { addresses, panels, vectors, sums }: { addresses: Address[]; panels: Address[]; vectors: Words[]; sums: Sums[][] },
): (end: Address) => void {
  const [first, ...others] = addresses as [Address, ...Address[]];
  const addProduct = (weights: Vector, limb: Vector, sum: Vector) => {
    local.get(weights);
    local.get(limb);
    local.get(sum);
    i32x4.relaxed_dot_i8x16_i7x16_add_s();
    local.set(sum);
  };
  const loadLimb = (address: Address, offset: number, into: Vector) => {
    v128.load32_splat({ offset, align: 1 }, address);
    local.set(into);
  };
  const loadWords = (number: number, { panel, offset }: Words, into: Vector) => {
    v128.load({ offset: number * 32 + offset }, panel);
    local.set(into);
  };
  // the fewer of limbs and weights stay in locals
  const oneRow = () => {
    const [low, high, weights] = [locals.v128(), locals.v128(), locals.v128()];
    return (number: number) => {
      loadLimb(first, number * 8, low);
      loadLimb(first, number * 8 + 4, high);
      for (const [at, sum] of (sums[0] as Sums[]).entries()) {
        loadWords(number, vectors[at] as Words, weights);
        addProduct(weights, low, sum.low);
        addProduct(weights, high, sum.high);
      }
    };
  };
  const moreRows = () => {
    const limb = locals.v128();
    const weights = vectors.map((words) => ({ words, held: locals.v128() }));
    return (number: number) => {
      for (const { words, held } of weights) loadWords(number, words, held);
      for (const [m, address] of addresses.entries())
        for (const which of ["low", "high"] as const) {
          loadLimb(address, number * 8 + (which === "low" ? 0 : 4), limb);
          for (const [at, { held }] of weights.entries())
            addProduct(held, limb, ((sums[m] as Sums[])[at] as Sums)[which]);
        }
    };
  };
  const step = others.length === 0 ? oneRow() : moreRows();
  return (end) =>
    loopWhileBelow(first, end, TURN * 2, () => {
      for (let number = 0; number < TURN / 4; number++) step(number);
      for (const panel of panels) local.set(panel, i32.add(panel, TURN * 8));
      for (const other of others) local.set(other, i32.add(other, TURN * 2));
    });
}
