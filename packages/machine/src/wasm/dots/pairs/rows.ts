import { i16x8, i32, i32x4, i64x2, type Local, type Locals, local, loopWhileBelow, select, v128 } from "../../asm.ts";
import { defineDotRows, type Operands, type Tile } from "../byRows.ts";
import { clear } from "../packing.ts";
import { extend } from "../vectors64.ts";

type Address = Local<"i32">;
type Vector = Local<"v128">;
/** Sums of a panel's low and high rows. While they are summed, `low` holds `low + 256 * high`. */
type Sums = { low: Vector; high: Vector };

/** Columns of a turn: rows have a multiple of them. */
const TURN = 8;
/** Products of any i16 and i8 whose sum fits 32 bits: a multiple of 8 below 2^31 / 2^22. */
const SAFE_COLUMNS = 504;

/** One or two rows are bound by memory, which gives most when it is read as two streams. */
export const dotRows = defineDotRows({
  sumBytes: 4,
  mostRows: 4,
  tile: (locals, operands, rows) => narrowTile(locals, operands, { rows, streams: rows > 2 ? 1 : 2 }),
});

export const dotRowsWide = defineDotRows({ sumBytes: 8, mostRows: 1, tile: wideTile });

function newSums(locals: Locals, rows: number, panels: number): Sums[][] {
  const row = () => Array.from({ length: panels }, () => ({ low: locals.v128(), high: locals.v128() }));
  return Array.from({ length: rows }, row);
}

function narrowTile(
  locals: Locals,
  { table, columns }: Operands,
  { rows, streams }: { rows: number; streams: number },
): Tile {
  const addresses = Array.from({ length: rows }, () => locals.i32());
  const panels = Array.from({ length: streams }, () => locals.i32());
  const sums = newSums(locals, rows, streams);
  const sumUp = summation(locals, { addresses, panels, sums });
  const end = locals.i32();
  return {
    panels,
    sum: () => {
      addresses.forEach((address, m) => {
        i32.load({ offset: m * 8 }, table);
        local.set(address);
        for (const { low, high } of sums[m] ?? []) {
          v128.load32_splat({ offset: m * 8 + 4 }, table);
          local.set(low);
          clear(high);
        }
      });
      i32.shl(columns, 1);
      local.get(addresses[0] as Address);
      i32.add();
      local.set(end);
      sumUp(end);
    },
    store: (row, panel, out) => {
      const [low, high] = halves(sums, row, panel);
      local.get(out);
      pushLow(low, high);
      v128.store({});
      v128.store({ offset: 16 }, out, high);
    },
  };
}

/** One row and two panels, in parts whose sums fit 32 bits; each is added to 64-bit sums. */
function wideTile(locals: Locals, { table, columns }: Operands): Tile {
  const [address, end, partEnd] = [locals.i32(), locals.i32(), locals.i32()];
  const panels = [locals.i32(), locals.i32()];
  const parts = newSums(locals, 1, 2);
  const balance = locals.v128();
  const sumUp = summation(locals, { addresses: [address], panels, sums: parts, balance });
  const sums = panels.map(() => [locals.v128(), locals.v128(), locals.v128(), locals.v128()]);
  return {
    panels,
    sum: () => {
      for (const sum of sums.flat()) clear(sum);
      i32.load({}, table);
      local.tee(address);
      i32.shl(columns, 1);
      i32.add();
      local.set(end);
      loopWhileBelow(address, end, 0, () => {
        clear(balance);
        for (const { low, high } of parts.flat()) for (const part of [low, high]) clear(part);
        i32.add(address, SAFE_COLUMNS * 2);
        local.tee(partEnd);
        local.get(end);
        i32.lt_u(partEnd, end);
        select();
        local.set(partEnd);
        sumUp(partEnd);
        parts[0]?.forEach(({ low, high }, panel) => {
          pushLow(low, high);
          local.get(balance);
          i32x4.add();
          local.set(low);
          sums[panel]?.forEach((sum, pair) => {
            extend(pair < 2 ? low : high, pair % 2 === 0 ? "low" : "high");
            local.get(sum);
            i64x2.add();
            local.set(sum);
          });
        });
      });
    },
    store: (_, panel, out) => {
      sums[panel]?.forEach((sum, pair) => {
        v128.store({ offset: pair * 16 }, out, sum);
      });
    },
  };
}

function halves(sums: Sums[][], row: number, panel: number): [Vector, Vector] {
  const { low, high } = (sums[row] as Sums[])[panel] as Sums;
  return [low, high];
}

function pushLow(low: Vector, high: Vector): void {
  local.get(low);
  i32x4.shl(high, 8);
  i32x4.sub();
}

/**
 * Adds the products of rows and panels, from their present addresses until the first row's reaches the end; all addresses
 * advance. `balance` takes -128 times the sum of the first row's activations.
 */
function summation(
  locals: Locals,
  { addresses, panels, sums, balance }: { addresses: Address[]; panels: Address[]; sums: Sums[][]; balance?: Vector },
): (end: Address) => void {
  const activations = addresses.map(() => locals.v128());
  const weights = locals.v128();
  const [first, ...others] = addresses as [Address, ...Address[]];
  const addProduct = (activation: Vector, sum: Vector) => {
    local.get(activation);
    i32x4.dot_i16x8_s();
    local.get(sum);
    i32x4.add();
    local.set(sum);
  };
  const step = (number: number) => {
    addresses.forEach((address, m) => {
      v128.load32_splat({ offset: number * 4, align: 1 }, address);
      local.set(activations[m] as Vector);
    });
    if (balance !== undefined) {
      i32.const(-128);
      i16x8.splat();
      addProduct(activations[0] as Vector, balance);
    }
    panels.forEach((panel, p) => {
      v128.load({ offset: number * 16 }, panel);
      local.set(weights);
      for (const half of ["low", "high"] as const) {
        if (half === "high") local.set(weights, i16x8.shr_s(weights, 8));
        activations.forEach((activation, m) => {
          local.get(weights);
          addProduct(activation, sums[m]?.[p]?.[half] as Vector);
        });
      }
    });
  };
  return (end) =>
    loopWhileBelow(first, end, TURN * 2, () => {
      for (let number = 0; number < TURN / 2; number++) step(number);
      for (const panel of panels) local.set(panel, i32.add(panel, TURN * 8));
      for (const other of others) local.set(other, i32.add(other, TURN * 2));
    });
}
